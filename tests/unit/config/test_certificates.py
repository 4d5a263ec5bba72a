"""Certificates that cannot be used are told by their place, before a listener needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from config.loader import load_text
from config.problems import ConfigurationError
from tests.harness.certificates import Authority
from tests.unit.config.written import file


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def said(*, listener: dict[str, Any] | None = None, service: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    text = file(
        service=f"upstream_tls: {yaml.safe_dump(service, default_flow_style=True, width=10_000)}" if service else "",
        rest=(
            "listeners:\n  - name: public\n    bind: 127.0.0.1:8443\n"
            f"    tls: {yaml.safe_dump(listener, default_flow_style=True, width=10_000)}"
            if listener
            else ""
        ),
    )
    try:
        load_text(text, file=Path("/t.yaml"), environ={}, host_name="host-1")
    except ConfigurationError as error:
        return [(one.path, one.found) for one in error.problems if one.severity == "error"]
    return []


def test_what_can_be_used_is_not_complained_of(authority: Authority) -> None:
    pair = authority.issue("a.test")
    listener = {
        "certificates": [pair, authority.issue("b.test")],
        "client_certificate": "require",
        "client_ca": str(authority.file),
        "ciphers": "ECDHE+AESGCM",
        "min_version": "TLSv1.3",
    }
    service = {
        "ca": str(authority.file),
        "client_certificate": pair["certificate"],
        "client_key": pair["private_key"],
        "server_name": "api.internal",
    }
    assert said(listener=listener, service=service) == []


def test_a_key_of_another_certificate_is_told(authority: Authority) -> None:
    good, other = authority.issue("a.test"), authority.issue("b.test")
    mixed = {**good, "private_key": other["private_key"]}
    ((path, found),) = said(listener={"certificates": [good, mixed]})
    assert path == "listeners[0].tls.certificates[1].certificate"
    assert found.endswith("(key values mismatch)")


def test_files_without_a_certificate_are_told(authority: Authority, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    pair = {**authority.issue("a.test"), "certificate": str(empty)}
    listener = {"certificates": [pair], "client_certificate": "optional", "client_ca": str(empty)}
    service = {"ca": str(empty), "client_certificate": str(empty), "client_key": pair["private_key"]}
    assert sorted(path for path, _ in said(listener=listener, service=service)) == [
        "listeners[0].tls.certificates[0].certificate",
        "listeners[0].tls.client_ca",
        "services[0].upstream_tls.ca",
        "services[0].upstream_tls.client_certificate",
    ]


def test_a_file_that_is_missing_is_told_once(authority: Authority, tmp_path: Path) -> None:
    pair = {**authority.issue("a.test"), "private_key": str(tmp_path / "gone.key")}
    ((path, found),) = said(listener={"certificates": [pair]})
    assert path == "listeners[0].tls.certificates[0].private_key"
    assert "does not exist" in found


def test_ciphers_that_openssl_does_not_know_are_told(authority: Authority) -> None:
    ((path, found),) = said(listener={"certificates": [authority.issue("a.test")], "ciphers": "ROT13"})
    assert (path, found) == ("listeners[0].tls.ciphers", "ROT13 (no cipher match)")
