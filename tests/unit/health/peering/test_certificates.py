"""Which region a certificate speaks for. Handshakes: integration tests of the server."""

from __future__ import annotations

from typing import Any

import pytest

from health.peering.certificates import speaks_for

HOSTS = frozenset({"gw1.us.internal", "10.0.0.9"})


def certificate(name: str = "", *alternatives: tuple[str, str]) -> dict[str, Any]:
    return {"subject": ((("commonName", name),),), "subjectAltName": alternatives}


@pytest.mark.parametrize(
    "held",
    [
        certificate("us"),
        certificate("", ("DNS", "us")),
        certificate("", ("URI", "tidegate://region/us")),
        certificate("", ("DNS", "gw1.us.internal")),
        certificate("", ("IP Address", "10.0.0.9")),
    ],
)
def test_a_certificate_speaks_for_a_region_that_it_names_or_whose_peer_it_is(held: dict[str, Any]) -> None:
    assert speaks_for(held, "us", HOSTS)


@pytest.mark.parametrize(
    "held",
    [
        None,
        {},
        certificate("eu"),
        certificate("", ("DNS", "gw1.eu.internal"), ("DNS", "*.us.internal"), ("DNS", "us.example")),
        certificate("", ("URI", "tidegate://region/us2")),
    ],
)
def test_any_other_does_not(held: dict[str, Any] | None) -> None:
    assert not speaks_for(held, "us", HOSTS)
