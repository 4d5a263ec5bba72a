"""Every mistake in addresses is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from config.addresses import overlap
from config.models import Bind
from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said", "environ"),
    [
        pytest.param(
            file(rest="listeners: [{name: public, bind: 127.0.0.1:9900}]"),
            [
                (
                    "t.yaml:1:1 admin.bind: found 127.0.0.1:9900, which overlaps 127.0.0.1:9900 of the "
                    "listener public, expected an address and port of its own for admin"
                ),
            ],
            {},
            id="admin on a listeners port",
        ),
        pytest.param(
            file(rest="listeners: [{name: a, bind: 127.0.0.1:8080}, {name: b, bind: 0.0.0.0:8080}]"),
            [
                (
                    "t.yaml:10:62 listeners[1].bind: found 0.0.0.0:8080, which overlaps 127.0.0.1:8080 of "
                    "the listener a, expected an address and port of its own for the listener b"
                ),
            ],
            {},
            id="a wildcard over a listener",
        ),
        pytest.param(
            file(rest='listeners: [{name: a, bind: 127.0.0.1:8080}, {name: b, bind: "[::]:8080"}]'),
            [
                (
                    "t.yaml:10:62 listeners[1].bind: found [::]:8080, which overlaps 127.0.0.1:8080 of the "
                    "listener a, expected an address and port of its own for the listener b"
                ),
            ],
            {},
            id="an ipv6 wildcard over ipv4",
        ),
        pytest.param(
            file(rest="listeners: [{name: a, bind: 127.0.0.1:8080}, {name: b, bind: localhost:8080}]"),
            [
                (
                    "t.yaml:10:62 listeners[1].bind: found localhost:8080, which overlaps 127.0.0.1:8080 of "
                    "the listener a, expected an address and port of its own for the listener b"
                ),
            ],
            {},
            id="localhost by name and number",
        ),
        pytest.param(
            file(rest="peer: {bind: 127.0.0.1:9900, secret: env:S}"),
            [
                (
                    "t.yaml:10:14 peer.bind: found 127.0.0.1:9900, which overlaps 127.0.0.1:9900 of admin, "
                    "expected an address and port of its own for peer"
                ),
            ],
            {"S": "x"},
            id="peer on the admin port",
        ),
        pytest.param(
            file(rest="admin: {bind: 0.0.0.0:9900}"),
            [
                (
                    "t.yaml:10:15 admin.bind: found 0.0.0.0:9900, which other machines reach, without "
                    "tokens, expected a loopback address such as 127.0.0.1:9900, or admin.tokens"
                ),
            ],
            {},
            id="admin open without tokens",
        ),
        pytest.param(
            file(
                rest=(
                    "residency: {rules: [{data_type: a, allowed_regions: [eu-west]}, {data_type: b, zones: [gdpr]}]}\n"
                    "peer: {bind: 10.0.0.1:9443, secret: env:S}"
                )
            ),
            [
                (
                    't.yaml:10:88 residency.rules[1].zones[0]: found the zone "gdpr", which no region lists '
                    "in compliance_zones, expected a zone that some region lists in compliance_zones"
                ),
                (
                    "t.yaml:11:37 peer.secret: found a secret in place of tls, although eu-west may not hold "
                    "b, expected peer.tls, or a loopback address"
                ),
            ],
            {"S": "x"},
            id="peer signed in the clear",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str], environ: dict[str, str]) -> None:
    assert complaints(text, environ=environ) == said


@pytest.mark.parametrize(
    ("one", "other", "overlaps"),
    [
        (Bind("127.0.0.1", 80), Bind("127.0.0.1", 81), False),
        (Bind("127.0.0.1", 80), Bind("127.0.0.2", 80), False),
        (Bind("127.0.0.1", 80), Bind("0.0.0.0", 80), True),
        (Bind("::1", 80), Bind("0.0.0.0", 80), False),
        (Bind("::1", 80), Bind("::", 80), True),
        (Bind("0.0.0.0", 80), Bind("::", 80), True),
        (Bind("localhost", 80), Bind("::1", 80), True),
        (Bind("localhost", 80), Bind("10.0.0.1", 80), False),
    ],
)
def test_addresses_overlap_when_one_connection_could_mean_both(
    one: Bind, other: Bind, overlaps: bool
) -> None:  # a column of a table
    assert overlap(one, other) is overlaps
    assert overlap(other, one) is overlaps


def test_admin_may_be_open_with_tokens() -> None:
    rest = "admin: {bind: 0.0.0.0:9900, tokens: [{name: ops, role: admin, token: env:T}]}"
    assert complaints(file(rest=rest), environ={"T": "x"}) == []
    assert not accepted(file(rest=rest), environ={"T": "x"}).admin.bind.is_loopback


def test_peers_may_sign_in_the_clear_where_every_region_may_hold_everything() -> None:
    rest = "peer: {bind: 10.0.0.1:9443, secret: env:S}\nresidency: {rules: [{data_type: a, allowed_regions: '*'}]}"
    assert complaints(file(rest=rest), environ={"S": "x"}) == []
