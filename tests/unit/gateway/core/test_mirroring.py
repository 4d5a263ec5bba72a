"""Room for copies, what became of them, and whom they may go to."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gateway.core import mirroring
from gateway.core.book import EndpointBook
from gateway.core.mirroring import MAX_COPIES, MAX_HELD_BY_ONE, MAX_HELD_BYTES, MirrorLedger, endpoint_for_copy
from tests.harness.routing import routed, snapshot


class Pretended:
    """A copy that notes why it was dropped."""

    def __init__(self, ledger: MirrorLedger) -> None:
        self.dropped = ""
        self._ledger = ledger
        ledger.under_way.add(self)

    def drop(self, outcome: str) -> None:
        self.dropped = outcome
        self._ledger.under_way.discard(self)


def test_workers_share_the_nodes_copies_and_each_has_room_for_one() -> None:
    ledger = MirrorLedger(workers=MAX_COPIES)
    seen = [ledger.is_full]
    copy = Pretended(ledger)
    seen.append(ledger.is_full)
    ledger.drop_all()
    assert [*seen, ledger.is_full] == [False, True, False]
    assert copy.dropped == "node_stopped"
    assert not MirrorLedger(workers=10 * MAX_COPIES).is_full


def test_what_copies_hold_is_bounded_for_each_and_for_all() -> None:
    ledger = MirrorLedger()
    assert ledger.hold(MAX_HELD_BY_ONE, held_before=0)
    assert not ledger.hold(1, held_before=MAX_HELD_BY_ONE)
    for _ in range(MAX_HELD_BYTES // MAX_HELD_BY_ONE - 1):
        assert ledger.hold(MAX_HELD_BY_ONE, held_before=0)
    assert not ledger.hold(1, held_before=0)
    ledger.free(1)
    assert ledger.hold(1, held_before=0)


def test_outcomes_are_counted_until_they_are_taken() -> None:
    ledger = MirrorLedger()
    ledger.count("r", "shadow", mirroring.status_class(204))
    ledger.count("r", "shadow", "2xx")
    ledger.count("r", "shadow", "reset")
    assert ledger.take() == {("r", "shadow", "2xx"): 2, ("r", "shadow", "reset"): 1}
    assert ledger.take() == {}


def chosen(data_types: list[str], *regions: str) -> str | None:
    shadow: dict[str, Any] = {"id": "shadow", "endpoints": [{"region": name, "address": "s:80"} for name in regions]}
    api = {"id": "api", "endpoints": [{"region": "eu", "address": "a:80"}]}
    route = routed(data_types=data_types, mirror={"service": "shadow", "percent": "100%"})
    view = snapshot(route, services=[api, shadow])
    copies = view.routing.table.routes[0].mirror
    assert copies is not None
    endpoint = endpoint_for_copy(view, copies, EndpointBook(), country=None, rng=random.Random(1), now=0.0)
    return endpoint.id if endpoint is not None else None


@pytest.mark.parametrize(
    ("data_types", "regions", "expected"),
    [
        ([], ("us",), "shadow/us/s:80"),
        (["profile"], ("us", "eu"), "shadow/eu/s:80"),
        (["profile"], ("us", "ap"), None),
    ],
)
def test_a_copy_goes_only_where_the_routes_data_may_be(
    data_types: list[str], regions: tuple[str, ...], expected: str | None
) -> None:
    assert chosen(data_types, *regions) == expected
