"""Comparisons and snapshots are answered within bounds, and only to regions that may hold the stream."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sync.core.digests import KeyRange
from sync.core.policy import ConflictPolicy
from sync.core.wire import PROTOCOL, Compare, Fetch
from sync.core.writes import Write
from sync.replication.lending import MAX_KEYS, MAX_RANGES, Lending
from sync.replication.link import PeerRefused
from tests.harness.memory_store import Disk, MemoryStore
from tests.harness.replicas import Replica, plan

PLANS = {"profiles": plan(name="profiles", regions=("eu",)), "notes": plan(name="notes", regions=("eu", "us"))}
LIFE = "us:other.life1"


class Side:
    def __init__(self, conflict: ConflictPolicy = "vector_clock") -> None:
        plans = {**PLANS, "notes": plan(conflict, name="notes", regions=("eu", "us"))}
        self.store = MemoryStore(plans, region="eu", name="store1", seed="x", disk=Disk())
        self.transfers: list[tuple[str, str, int]] = []
        self.lending = Lending(
            self.store, plans, on_transfer=lambda stream, to, count, _: self.transfers.append((stream, to, count))
        )

    async def put(self, stream: str, *keys: str) -> None:
        await self.store.write([Write(stream=stream, key=key, kind="put", value=b"v") for key in keys], now=1000.0)

    def fetch(self, stream: str, what: Any, *, region: str = "us", **facts: Any) -> Any:
        asked = Fetch(PROTOCOL, LIFE, stream, what, **{"limit": 10, "max_bytes": 1 << 20, **facts})
        return asyncio.run(self.lending.fetch(asked, region=region))

    def compare(self, stream: str, *ranges: KeyRange, region: str = "us") -> Any:
        return asyncio.run(self.lending.compare(Compare(PROTOCOL, LIFE, stream, ranges), region=region))


def test_a_forbidden_stream_and_an_unknown_one_give_nothing() -> None:
    side = Side()
    asyncio.run(side.put("profiles", "a"))
    for stream in ("profiles", "nonsense"):
        compared = side.compare(stream, KeyRange())
        assert (compared.refused, compared.digests, compared.applied) == ("not_permitted", (), {})
        for what in ("base", "remembered", "page", "operations", "losses"):
            fetched = side.fetch(stream, what)
            assert (fetched.refused, fetched.page, fetched.base, fetched.life) == ("not_permitted", None, {}, "")
    assert side.transfers == []


def test_pages_say_where_they_go_on_and_are_counted_as_transfers() -> None:
    side = Side()
    asyncio.run(side.put("notes", *(f"k{at}" for at in range(5))))
    first = side.fetch("notes", "page", limit=3).page
    assert ([entry.key for entry in first.entries], first.next) == (["k0", "k1", "k2"], "k2")
    rest = side.fetch("notes", "page", within=KeyRange("k2"), limit=MAX_KEYS * 10).page
    assert ([entry.key for entry in rest.entries], rest.next) == (["k3", "k4"], None)
    assert side.transfers == [("notes", "us", 3), ("notes", "us", 2)]
    assert side.fetch("notes", "base").keys == 5


def test_a_store_that_speaks_for_another_region_and_too_many_ranges_are_refused() -> None:
    side = Side()
    with pytest.raises(PeerRefused, match="speaking for region ap"):
        side.compare("notes", KeyRange(), region="ap")
    with pytest.raises(PeerRefused, match="speaking for region ap"):
        side.fetch("notes", "page", region="ap")
    with pytest.raises(PeerRefused, match="expected at most"):
        side.compare("notes", *[KeyRange()] * (MAX_RANGES + 1))


def test_single_operations_are_given_whole_or_not_at_all() -> None:
    side = Side()
    asyncio.run(side.put("notes", "a", "b"))
    origin = side.store.origin("notes")
    found = side.fetch("notes", "operations", dots=((origin, 2), (origin, 9), ("us:other.life1", 1))).operations
    assert [one.value for one in found] == [b"v"]
    assert side.transfers == [("notes", "us", 1)]


def test_losses_come_with_their_values_within_bounds() -> None:
    side = Side("last_write_wins")
    other = Replica("us", plan("last_write_wins", name="notes", regions=("eu", "us")))
    for key in "abc":
        other.write(b"early " + key.encode() * 100, now=999.0, key=key)
    asyncio.run(side.put("notes", "a", "b", "c"))
    asyncio.run(side.store.receive("notes", other.missing({}), now=1000.0))
    first = side.fetch("notes", "losses", max_bytes=1).losses
    assert [(one.key, one.operation.value[:7]) for one in first] == [("a", b"early a")]
    rest = side.fetch("notes", "losses", loss=first[0].loser.dot).losses
    assert [one.key for one in rest] == ["b", "c"]
    assert side.fetch("notes", "losses", loss=rest[-1].loser.dot).losses == ()
