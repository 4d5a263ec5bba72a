"""A peer gets what its region may hold, in the asked order, within the asked bytes; of the rest not even a number."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from sync.core.confirmations import Confirmations
from sync.core.local_batch import Write
from sync.core.plans import CollectionPlan
from sync.core.wire import PROTOCOL, Pull, Pulled, StreamHave
from sync.replication.link import PeerRefused
from sync.replication.serving import Serving
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
        self.store = MemoryStore(PLANS, region="eu", name="store1", seed="x", disk=Disk())
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


def test_confirmations_are_taken_down_durably_before_the_answer() -> None:
    async def play() -> None:
        side = Side()
        await side.put("notes", b"v")
        origin = side.store.origin("notes")
        await side.pull("notes", received={origin: 1}, applied={origin: 1})
        assert side.confirmed == ["notes"]
        assert await side.store.acknowledged("notes") == {"us:other.life1": {origin: 1}}
        await side.pull("notes", received={origin: 1}, applied={origin: 1})
        assert side.confirmed == ["notes"]

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
