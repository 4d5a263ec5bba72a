"""What one gateway says to another, and everything that is not believed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from config.core.signing import Signer
from gateway.core import hops
from gateway.core.hops import VALID_S, Hop, HopLedger, bound_to, field_line
from gateway.seen import Seen

SIGNER = Signer([b"k" * 32])
REQUEST = bound_to("GET", b"/a", b"?b=1")
NOW = 1_700_000_000.0


def hop(**changes: Any) -> Hop:
    fields: dict[str, Any] = {
        "at": NOW,
        "nonce": 7,
        "source": "gw-us-1",
        "destination": "eu",
        "route": "r",
        "service": "api",
        "client_ip": "192.0.2.1",
        "country": "US",
        "is_copy": False,
        "bound_to": REQUEST,
    }
    return Hop(**(fields | changes))


def sealed(one: Hop, signer: Signer = SIGNER) -> str:
    name, _, value = field_line(signer, one).partition(b": ")
    assert name == hops.FIELD
    assert value.endswith(b"\r\n")
    return value.strip().decode()


def opened(text: str, *, ledger: HopLedger | None = None, now: float = NOW, region: str = "eu") -> Hop | str:
    return (ledger or HopLedger(Seen(None))).open(SIGNER, text, region=region, request=REQUEST, now=now)


def test_what_was_signed_is_believed_once() -> None:
    ledger = HopLedger(Seen(None))
    assert opened(sealed(hop()), ledger=ledger) == hop()
    assert opened(sealed(hop()), ledger=ledger, now=NOW + 1) == "a hop that was here before"
    assert opened(sealed(hop(nonce=8)), ledger=ledger) == hop(nonce=8)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (sealed(hop(), Signer([b"other" * 8])), "no node of this mesh has signed"),
        (sealed(hop())[:-2], "no node of this mesh has signed"),
        ("", "no node of this mesh has signed"),
        ("%%%\xff", "no node of this mesh has signed"),
        ("A" * 100_000, "no node of this mesh has signed"),
        (SIGNER.seal("split r", msgspec.json.encode(hop())), "no node of this mesh has signed"),
        (SIGNER.seal(hops.PURPOSE, b"[1]"), "another version"),
        (sealed(hop(destination="us")), "for region us"),
        (sealed(hop(bound_to=bound_to("POST", b"/a", b"?b=1"))), "another request"),
        (sealed(hop(at=NOW - VALID_S - 1)), "signed 16 s ago"),
        (sealed(hop(at=NOW + VALID_S + 1)), "signed -16 s ago"),
    ],
)
def test_nothing_else_is_believed(text: str, why: str) -> None:
    found = opened(text)
    assert isinstance(found, str)
    assert why in found


def test_a_hop_is_remembered_for_as_long_as_it_is_good_and_no_longer() -> None:
    ledger = HopLedger(Seen(None))
    ahead = sealed(hop(at=NOW + VALID_S))
    assert isinstance(opened(ahead, ledger=ledger), Hop)
    assert opened(ahead, ledger=ledger, now=NOW + 2 * VALID_S - 0.1) == "a hop that was here before"
    assert (
        opened(ahead, ledger=ledger, now=NOW + 2 * VALID_S + 0.1) == "a hop signed 15 s ago, at most 15 s are believed"
    )


def test_requests_are_told_apart() -> None:
    assert len({bound_to("GET", b"/a", b""), bound_to("GET", b"/a", b"?"), bound_to("PUT", b"/a", b"")}) == 3
