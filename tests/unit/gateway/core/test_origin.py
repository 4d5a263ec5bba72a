"""Whose word is believed about who a client is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.head import parse_request_head
from gateway.core.origin import MAX_HOPS, Origin, Trust, origin_of

PEER = "10.0.0.1"
TRUST = Trust(["10.0.0.0/8", "2001:db8::/32"])


def origin(*lines: str, trust: Trust = TRUST, peer: str = PEER) -> Origin:
    raw = "\r\n".join(("GET / HTTP/1.1", "Host: h", *lines, "", "")).encode("latin-1")
    return origin_of(parse_request_head(raw), peer=peer, trust=trust)


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("11.0.0.1", False),
        ("2001:db8::5", True),
        ("2001:db9::5", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_trust_is_by_network(address: str, *, trusted: bool) -> None:
    assert TRUST.includes(address) is trusted


def test_nobody_is_trusted_unless_named() -> None:
    assert not Trust([]).includes("127.0.0.1")


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        (("X-Forwarded-For: 192.0.2.7",), "192.0.2.7"),
        (("X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.9.9.9",), "192.0.2.7"),
        (("X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 192.0.2.7"), "192.0.2.7"),
        (("X-Forwarded-For: 10.1.1.1, 10.2.2.2",), "10.1.1.1"),
        (("X-Forwarded-For: [2001:db9::1]:443",), "2001:db9::1"),
        (("X-Forwarded-For: 192.0.2.7:5000",), "192.0.2.7"),
        (("X-Forwarded-For: 192.0.2.7, junk",), PEER),
        (("X-Forwarded-For: junk, 10.5.5.5",), "10.5.5.5"),
        (("X-Forwarded-For: ",), PEER),
        ((), PEER),
        (("Forwarded: for=192.0.2.7;proto=https, for=10.3.3.3",), "192.0.2.7"),
        (('Forwarded: For="[2001:db9::1]:80";by=_x',), "2001:db9::1"),
        (("Forwarded: for=unknown, for=10.3.3.3",), "10.3.3.3"),
        (("Forwarded: for=6.6.6.6", "X-Forwarded-For: 192.0.2.7"), "192.0.2.7"),
    ],
)
def test_the_client_is_the_first_address_from_the_right_that_is_not_trusted(
    lines: tuple[str, ...], client: str
) -> None:
    assert origin(*lines).client_ip == client


def test_the_chain_is_passed_on_with_the_peer_last() -> None:
    assert origin("X-Forwarded-For: 6.6.6.6, junk, 192.0.2.7").chain == ("6.6.6.6", "unknown", "192.0.2.7", PEER)


def test_a_chain_without_end_is_cut() -> None:
    assert len(origin("X-Forwarded-For: " + ", ".join(["192.0.2.7"] * 1000)).chain) == MAX_HOPS + 1


def test_what_else_the_peer_says_is_kept_where_it_makes_sense() -> None:
    told = origin(
        "X-Forwarded-Proto: https", "X-Forwarded-Host: a.example:8443", "X-Forwarded-Port: 443", "X-Request-Id: abc-1"
    )
    assert (told.proto, told.host, told.port, told.request_id) == (b"https", b"a.example:8443", b"443", b"abc-1")
    odd = origin("X-Forwarded-Proto: gopher", "X-Forwarded-Host: a b", "X-Forwarded-Port: 4x", "X-Request-Id: a b")
    assert (odd.proto, odd.host, odd.port, odd.request_id) == (None, None, None, None)


@given(st.lists(st.sampled_from(["6.6.6.6", "10.0.0.9", "junk", "", "::1", "[::1", "1.2.3.4:x"]), max_size=6))
def test_whatever_is_claimed_the_client_is_an_address(hops: list[str]) -> None:
    told = origin("X-Forwarded-For: " + ",".join(hops))
    assert told.client_ip in {"6.6.6.6", "10.0.0.9", "::1", "1.2.3.4", PEER}
    assert told.chain[-1] == PEER
