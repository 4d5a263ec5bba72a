from __future__ import annotations

import json
import ssl
from pathlib import Path

from config.models import ServerTls
from gateway.tls.identity import identity_of
from gateway.tls.server import load_server_side
from tests.harness.certificates import Authority


def server_side_of(authority: Authority, client: ssl.SSLContext) -> ssl.SSLObject:
    settings = {
        "certificates": [authority.issue("localhost")],
        "client_certificate": "optional",
        "client_ca": str(authority.file),
    }
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    context = load_server_side(ServerTls.model_validate_json(json.dumps(settings))).context
    there = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (here, there):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return there


def test_a_verified_certificate_gives_an_identity(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    alice = authority.issue("alice.test", common_name="alice")
    lines = identity_of(server_side_of(authority, authority.client(certificate=alice)))
    assert lines.startswith(b"Client-Cert: :MII")
    assert b"\r\nX-Client-Cert-Subject: CN=alice," in lines


def test_no_certificate_gives_none(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    assert identity_of(server_side_of(authority, authority.client())) == b""
