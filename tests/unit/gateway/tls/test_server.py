from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from config.models import ServerTls
from gateway.errors import TlsMaterialRefused
from gateway.tls.server import files_of, load_server_side
from tests.harness.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def tls(*pairs: dict[str, str], **settings: Any) -> ServerTls:
    return ServerTls.model_validate_json(json.dumps({"certificates": pairs, **settings}))


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str | None = "localhost") -> ssl.SSLObject:
    """Both sides in memory; the client's."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server, server_hostname=name)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (here, there):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return here


def test_its_files_are_all_that_it_is_made_from(authority: Authority) -> None:
    pair = authority.issue("a.test")
    settings = tls(pair, client_certificate="require", client_ca=str(authority.file))
    assert files_of(settings) == (pair["certificate"], pair["private_key"], str(authority.file))


def test_the_same_settings_and_contents_have_one_digest_and_others_another(authority: Authority) -> None:
    pair = authority.issue("a.test")
    first = load_server_side(tls(pair)).digest
    assert load_server_side(tls(pair)).digest == first
    assert load_server_side(tls(pair, min_version="TLSv1.3")).digest != first
    Path(pair["certificate"]).write_bytes(Path(pair["certificate"]).read_bytes() + b"\n")
    assert load_server_side(tls(pair)).digest != first


def test_renegotiation_is_not_offered(authority: Authority) -> None:
    side = load_server_side(tls(authority.issue("localhost")))
    assert side.context.options & ssl.OP_NO_RENEGOTIATION


def test_a_client_without_a_name_gets_the_first_certificate(authority: Authority) -> None:
    side = load_server_side(tls(authority.issue("first.test"), authority.issue("other.test")))
    client = authority.client()
    client.check_hostname = False
    shown = shake_hands(side.context, client, None).getpeercert()
    assert shown is not None
    assert shown["subjectAltName"] == (("DNS", "first.test"),)


@pytest.mark.parametrize("what", ["certificate", "private_key"])
@pytest.mark.parametrize("fault", ["missing", "empty", "nonsense", "of another", "a folder"])
def test_a_pair_that_is_none_is_refused_by_its_name(
    authority: Authority, tmp_path: Path, what: str, fault: str
) -> None:
    pair = authority.issue("localhost")
    file = tmp_path / "broken"
    if fault == "empty":
        file.touch()
    elif fault == "nonsense":
        file.write_bytes(b"-----BEGIN CERTIFICATE-----\n\xff\xfe\n-----END CERTIFICATE-----\n")
    elif fault == "of another":
        file.write_bytes(Path(authority.issue("other")[what]).read_bytes())
    elif fault == "a folder":
        file.mkdir()
    pair[what] = str(file)
    with pytest.raises(TlsMaterialRefused, match="broken"):
        load_server_side(tls(pair))


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(authority: Authority) -> None:
    pair = authority.issue("localhost")
    file = Path(pair["private_key"])
    key = load_pem_private_key(file.read_bytes(), password=None)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(TlsMaterialRefused, match="passphrase"):
        load_server_side(tls(pair))


def test_authorities_that_are_none_are_refused(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    with pytest.raises(TlsMaterialRefused, match=r"empty\.pem"):
        load_server_side(
            tls(authority.issue("a.test"), client_certificate="optional", client_ca=str(tmp_path / "empty.pem"))
        )


def test_ciphers_that_nobody_knows_are_refused(authority: Authority) -> None:
    with pytest.raises(TlsMaterialRefused, match="ROT13"):
        load_server_side(tls(authority.issue("a.test"), ciphers="ROT13"))
