from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from config.models import Config
from gateway.errors import TlsMaterialRefused
from gateway.tls.material import NOTHING, load
from tests.harness.certificates import Authority
from tests.harness.configuration import document


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def config(listener: dict[str, Any] | None = None, **services: dict[str, Any] | None) -> Config:
    """One listener, and the services named, with this TLS."""
    written = document()
    written["listeners"][0]["tls"] = listener
    template = written["services"][0]
    written["services"] = [{**template, "id": name, "upstream_tls": tls} for name, tls in services.items()] or [
        template
    ]
    written["routes"][0]["service"] = written["services"][0]["id"]
    return Config.model_validate_json(json.dumps(written))


def test_a_configuration_without_tls_needs_nothing() -> None:
    material = load(config())
    assert (material.listeners, material.services, material.files) == ({}, {}, ())


def test_what_has_not_changed_is_the_same_object(authority: Authority) -> None:
    wanted = config({"certificates": [authority.issue("a.test")]}, api={"ca": str(authority.file)})
    first = load(wanted)
    again = load(wanted, previous=first, was=wanted)
    assert again.listeners["public"] is first.listeners["public"]
    assert again.services["api"] is first.services["api"]


def test_services_that_speak_alike_share_one(authority: Authority) -> None:
    alike = {"ca": str(authority.file)}
    material = load(config(None, one=alike, two=alike, three={**alike, "server_name": "c.test"}, four=None))
    assert material.services["one"] is material.services["two"]
    assert material.services["three"] is not material.services["one"]
    assert "four" not in material.services


def test_a_file_with_other_contents_makes_another(authority: Authority) -> None:
    pair = authority.issue("a.test")
    wanted = config({"certificates": [pair]}, api={"ca": str(authority.file)})
    first = load(wanted)
    renewed = authority.issue("a.test")
    for what, file in pair.items():
        Path(file).write_bytes(Path(renewed[what]).read_bytes())
    again = load(wanted, previous=first, was=wanted)
    assert again.listeners["public"] is not first.listeners["public"]
    assert again.services["api"] is first.services["api"]


def test_every_file_is_named_once(authority: Authority) -> None:
    pair = authority.issue("a.test")
    ca = str(authority.file)
    material = load(config({"certificates": [pair, pair]}, one={"ca": ca}, two={"ca": ca, "verify": False}))
    assert material.files == (pair["certificate"], pair["private_key"], ca)


def test_what_cannot_be_loaded_any_more_stays_as_it_was(authority: Authority) -> None:
    pair = authority.issue("a.test")
    wanted = config({"certificates": [pair]})
    first = load(wanted)
    Path(pair["certificate"]).write_text("nonsense")
    again = load(wanted, previous=first, was=wanted)
    assert again.listeners["public"] is first.listeners["public"]
    assert len(again.problems) == 1
    assert again.problems[0].startswith("listener public keeps the certificates that it had: ")


def test_other_settings_that_cannot_be_loaded_are_refused(authority: Authority) -> None:
    pair = authority.issue("a.test")
    before = config({"certificates": [pair]})
    first = load(before)
    Path(pair["certificate"]).write_text("nonsense")
    after = config({"certificates": [pair], "min_version": "TLSv1.3"})
    with pytest.raises(TlsMaterialRefused, match="listener public"):
        load(after, previous=first, was=before)


def behind_gateway(tls: dict[str, Any] | None) -> Config:
    written = document()
    written["regions"][1] |= {"reach": "gateway", "gateway": "https://us.example.com", "gateway_tls": tls}
    written["secrets"] = {"signing_keys": ["env:KEY"]}
    return Config.model_validate_json(json.dumps(written))


def test_a_gateway_of_another_region_has_tls_of_its_own_which_stays_when_its_file_breaks(authority: Authority) -> None:
    own = behind_gateway({"ca": str(authority.file)})
    first = load(own)
    assert first.files == (str(authority.file),)
    assert first.services["gateway us"].context.get_ca_certs()[0]["subject"]
    plain = load(behind_gateway(None))
    assert (plain.files, plain.services["gateway us"].context.verify_mode) == ((), ssl.CERT_REQUIRED)
    authority.file.write_text("nonsense")
    again = load(own, previous=first, was=own)
    assert again.services["gateway us"] is first.services["gateway us"]
    assert len(again.problems) == 1


def test_a_service_that_cannot_be_loaded_is_refused_by_its_id(authority: Authority) -> None:
    missing = {"ca": f"{authority.file}.gone"}
    with pytest.raises(TlsMaterialRefused, match=r"service api: .*gone: no such file"):
        load(config(None, api=missing), previous=NOTHING)
