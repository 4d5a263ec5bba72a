"""A peer gets what its region may hold, in the asked order, within the asked bytes; of the rest not even a number."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

import pytest

from sync.core.confirmations import Confirmations
from sync.core.operation import dot_of
from sync.core.plans import CollectionPlan
from sync.core.wire import PROTOCOL, Pull, Pulled, StreamHave
from sync.core.writes import Write
from sync.errors import StoreFull
from sync.replication.link import PeerRefused
from sync.replication.serving import RELAY_S, Serving
from tests.harness import virtual_time
from tests.harness.memory_store import Disk, MemoryStore
from tests.harness.replicas import plan

PLANS: Mapping[str, CollectionPlan] = {
    "profiles": plan(name="profiles", regions=("eu",)),
    "notes": plan(name="notes", regions=("eu", "us")),
    "settings": plan(name="settings", regions=("eu", "us")),
}


class Side:
    """The serving side, with some writes in it."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.store = MemoryStore(PLANS, region="eu", name="store1", seed="x", disk=self.disk)
        self.confirmations = Confirmations()
        self.confirmed: list[str] = []
        self.transfers: list[tuple[str, str, int]] = []
        loop = asyncio.get_running_loop()
        self.serving = Serving(
            self.store,
            PLANS,
            region="eu",
            member=lambda: "eu:store1",
            confirmations=self.confirmations,
            on_confirmed=self.confirmed.append,
            on_transfer=lambda stream, region, count, _: self.transfers.append((stream, region, count)),
            now=loop.time,
            wall=lambda: 1000.0,
        )

    async def put(self, stream: str, *values: bytes) -> None:
        writes = [
            Write(stream=stream, key=f"k{number}", kind="put", value=value) for number, value in enumerate(values)
        ]
        await self.store.write(writes, now=1000.0)

    async def pull(
        self,
        *streams: str,
        region: str = "us",
        member: str = "us:other",
        received: dict[str, int] | None = None,
        applied: dict[str, int] | None = None,
        most: int = 100,
        size: int = 1 << 20,
        wait_s: float = 0.0,
        life: str = "",
    ) -> Pulled:
        life = life or f"{member}.life1"
        haves = tuple(StreamHave(stream, received or {}, applied or {}, life) for stream in streams)
        return await self.serving.pull(Pull(PROTOCOL, member, haves, most, size, wait_s), region=region)


def test_another_node_of_the_same_store_gets_nothing_and_confirms_nothing() -> None:
    async def play() -> None:
        side = Side()
        await side.put("notes", b"v")
        applied = (await side.store.heads("notes")).applied
        answer = await side.pull("notes", region="eu", member="eu:store1", applied=applied)
        assert (answer.member, answer.news) == ("eu:store1", ())
        assert dict(side.confirmations.members("notes")) == {}
        assert side.serving.heard == {}

    virtual_time.run(play())


def test_a_forbidden_stream_and_an_unknown_one_are_answered_alike_and_with_nothing() -> None:
    async def play() -> None:
        side = Side()
        await side.put("profiles", b"secret")
        answer = await side.pull("profiles", "nonsense")
        assert answer.news == ()
        assert answer.refused == (("profiles", "not_permitted"), ("nonsense", "not_permitted"))
        assert side.transfers == []

    virtual_time.run(play())


def test_what_is_missing_comes_in_the_asked_order_until_the_bytes_are_used_up() -> None:
    async def play() -> None:
        side = Side()
        await side.put("notes", *[b"n" * 1000] * 5)
        await side.put("settings", *[b"s" * 1000] * 5)
        answer = await side.pull("settings", "notes", size=4000)
        first, second = answer.news
        assert (first.stream, second.stream) == ("settings", "notes")
        assert 0 < len(first.operations) < 5
        assert not second.operations or len(second.operations) == 1
        assert first.heads == {side.store.origin("settings"): 5}

    virtual_time.run(play())


def test_without_news_it_waits_for_some_and_no_longer_than_asked() -> None:
    async def play() -> None:
        side = Side()
        loop = asyncio.get_running_loop()
        answer = await side.pull("notes", wait_s=3.0)
        assert (answer.news[0].operations, loop.time()) == ((), 3.0)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(side.pull("notes", "settings", wait_s=9.0))
            await asyncio.sleep(1)
            await side.put("settings", b"v")
        assert loop.time() == 4.0
        assert [len(news.operations) for news in waiting.result().news] == [0, 1]

    virtual_time.run(play())


def test_confirmations_count_at_once_and_are_written_down_together() -> None:
    async def play() -> None:
        side = Side()
        await side.put("notes", b"v", b"w")
        origin = side.store.origin("notes")
        for seq in (1, 2):
            await side.pull("notes", received={origin: seq}, applied={origin: seq})
        assert side.confirmed == ["notes", "notes"]
        assert side.confirmations.members("notes") == {"us:other": {origin: 2}}
        assert side.serving.has_unwritten.is_set()
        await side.serving.write_down()
        assert await side.store.acknowledged("notes") == {"us:other.life1": {origin: 2}}
        await side.pull("notes", received={origin: 2}, applied={origin: 2})
        assert side.confirmed == ["notes", "notes"]
        assert not side.serving.has_unwritten.is_set()

    virtual_time.run(play())


def test_what_cannot_be_written_down_is_tried_again() -> None:
    async def play() -> None:
        side = Side()
        await side.put("notes", b"v")
        origin = side.store.origin("notes")
        await side.pull("notes", applied={origin: 1})
        side.disk.is_full = True
        with pytest.raises(StoreFull):
            await side.serving.write_down()
        side.disk.is_full = False
        assert side.serving.has_unwritten.is_set()
        await side.serving.write_down()
        assert await side.store.acknowledged("notes") == {"us:other.life1": {origin: 1}}

    virtual_time.run(play())


def test_a_member_that_was_evicted_meanwhile_is_not_written_down() -> None:
    async def play() -> None:
        side = Side()
        await side.put("notes", b"v")
        await side.pull("notes", applied={side.store.origin("notes"): 1})
        side.confirmations.forget("notes", "us:other")
        await side.serving.write_down()
        assert await side.store.acknowledged("notes") == {}

    virtual_time.run(play())


class Third:
    """A store in a third region, of which the serving side has had something."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._store = MemoryStore(PLANS, region="us", name="third1", seed="y", disk=Disk())
        self.origin = self._store.origin("notes")

    async def arrives(self, value: bytes) -> None:
        await self._store.write([Write(stream="notes", key="theirs", kind="put", value=value)], now=1000.0)
        have = (await self._side.store.heads("notes")).received
        operations = await self._store.operations_after("notes", have, max_operations=9, max_bytes=1 << 20)
        await self._side.store.receive("notes", operations, now=1000.0)


def test_what_a_third_store_wrote_is_told_of_first_and_given_to_whoever_asks_again_without_it() -> None:
    async def play() -> None:
        side = Side()
        third, loop = Third(side), asyncio.get_running_loop()
        await side.pull("notes")
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(side.pull("notes", wait_s=1.0))
            await asyncio.sleep(0.02)
            await third.arrives(b"v")
        told = waiting.result()
        assert (told.news[0].operations, told.news[0].heads) == ((), {third.origin: 1})
        assert loop.time() == RELAY_S
        at_once = await side.pull("notes", wait_s=1.0)
        assert [len(news.operations) for news in at_once.news] == [1]
        assert loop.time() == RELAY_S

    virtual_time.run(play())


def test_what_a_third_store_wrote_does_not_come_with_what_was_written_here() -> None:
    async def play() -> None:
        side = Side()
        third = Third(side)
        own = side.store.origin("notes")
        await side.pull("notes")
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(side.pull("notes", wait_s=1.0))
            await asyncio.sleep(0.02)
            await third.arrives(b"v")
            await side.put("notes", b"v")
        (news,) = waiting.result().news
        assert [dot_of(sealed.head) for sealed in news.operations] == [(own, 1)]
        assert news.heads == {own: 1, third.origin: 1}

    virtual_time.run(play())


def test_a_member_that_knows_all_that_third_stores_wrote_is_left_to_wait() -> None:
    async def play() -> None:
        side = Side()
        third, loop = Third(side), asyncio.get_running_loop()
        await third.arrives(b"v")
        answer = await side.pull("notes", received={third.origin: 1}, wait_s=1.0)
        assert (answer.news[0].operations, loop.time()) == ((), 1.0)

    virtual_time.run(play())


def test_a_member_gets_its_own_operations_back_only_if_it_does_not_know_of_them_when_it_asks() -> None:
    async def play() -> None:
        side = Side()
        member, loop = Third(side), asyncio.get_running_loop()
        pull = partial(side.pull, "notes", wait_s=1.0, member="us:third1", life=member.origin)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(pull())
            await asyncio.sleep(0.02)
            await member.arrives(b"v")
        assert (waiting.result().news[0].operations, loop.time()) == ((), 1.0)
        (forgotten,) = (await pull()).news
        assert (len(forgotten.operations), loop.time()) == (1, 1.0)

    virtual_time.run(play())


def test_what_a_store_confirmed_before_it_was_restored_counts_no_more_not_even_when_it_comes_late() -> None:
    async def play() -> None:
        side = Side()
        await side.put("notes", b"v", b"w")
        origin = side.store.origin("notes")
        await side.pull("notes", applied={origin: 2})
        await side.pull("notes", applied={origin: 1}, life="us:other.life2")
        assert side.confirmations.members("notes") == {"us:other": {origin: 1}}
        assert await side.store.acknowledged("notes") == {"us:other.life2": {origin: 1}}
        await side.pull("notes", applied={origin: 2})
        assert side.confirmations.members("notes") == {"us:other": {origin: 1}}
        with pytest.raises(PeerRefused, match=r"in the life us:third.life1"):
            await side.pull("notes", life="us:third.life1")

    virtual_time.run(play())


def test_a_store_that_speaks_for_another_region_is_refused() -> None:
    async def play() -> None:
        side = Side()
        with pytest.raises(PeerRefused, match="member eu:store1 speaking for region us"):
            await side.pull("notes", member="eu:store1")
        assert await side.store.acknowledged("notes") == {}

    virtual_time.run(play())
