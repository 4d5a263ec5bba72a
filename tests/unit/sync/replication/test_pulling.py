"""What a peer sends is applied in order and durably; what it sends wrong costs itself, and is named."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import msgspec
import pytest

from sync.core.operation import Sealed
from sync.core.wire import MAX_REQUEST, PROTOCOL, Pull, Pulled, StreamNews, pack, unpack
from sync.core.writes import Write
from sync.replication.intake import TRIES
from sync.replication.link import PeerUnavailable
from sync.replication.pulling import BACKOFF_MAX_S, Appetite, Puller
from sync.replication.quarantine import Quarantine
from sync.replication.snapshots import Snapshots
from tests.harness import virtual_time
from tests.harness.memory_store import Disk, MemoryStore
from tests.harness.replicas import plan

PLANS = {"notes": plan(name="notes", regions=("eu", "us"))}


def store_in(region: str, disk: Disk | None = None, *, seed: str = "1") -> MemoryStore:
    return MemoryStore(PLANS, region=region, name="store1", seed=f"{region} {seed}", disk=disk or Disk())


async def operations_of(store: MemoryStore, *values: bytes) -> list[Sealed]:
    writes = [Write(stream="notes", key=f"k{number}", kind="put", value=value) for number, value in enumerate(values)]
    await store.write(writes, now=1000.0)
    return await store.operations_after("notes", {}, max_operations=1000, max_bytes=1 << 30)


class Script:
    """A peer that answers as told."""

    name = region = "eu"

    def __init__(self, *answers: Callable[[Pull], Pulled] | Exception | bytes) -> None:
        self.asked: list[Pull] = []
        self.answers = list(answers)

    async def ask(self, frame: bytes, *, timeout_s: float) -> bytes:
        request = unpack(frame, Pull, at_most=MAX_REQUEST)
        self.asked.append(request)
        answer = self.answers.pop(0) if self.answers else news()
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, bytes) else pack(answer(request))


def news(*operations: Sealed, stream: str = "notes", heads: dict[str, int] | None = None) -> Callable[[Pull], Pulled]:
    return lambda _: Pulled(PROTOCOL, "eu:store1", 1000.0, (StreamNews(stream, operations, heads or {}),))


class Side:
    """The receiving store and its puller."""

    def __init__(self, script: Script, *, disk: Disk | None = None, most: int = 100) -> None:
        self.store = store_in("us", disk, seed="another life" if disk else "1")
        self.said: list[tuple[str, str]] = []
        self.applied: list[str] = []
        loop = asyncio.get_running_loop()
        self.snapshots = Snapshots(
            self.store,
            say=lambda level, event, _: self.said.append((level, event)),
            sleep=asyncio.sleep,
            now=loop.time,
            wall=lambda: 1000.0,
        )
        self.puller = Puller(
            script,
            self.store,
            PLANS,
            member=lambda: "us:store1",
            appetite=Appetite(max_operations=most, max_bytes=1 << 20),
            on_applied=self.applied.append,
            snapshots=self.snapshots,
            quarantine=Quarantine(
                self.store,
                PLANS,
                [],
                say=lambda level, event, _: self.said.append((level, event)),
                sleep=asyncio.sleep,
                wall=lambda: 1000.0,
            ),
            say=lambda level, event, _: self.said.append((level, event)),
            sleep=asyncio.sleep,
            now=loop.time,
            wall=lambda: 1000.0,
            rng=random.Random(1),
        )


def test_a_full_answer_asks_for_the_next_before_it_is_applied_and_nothing_is_lost() -> None:
    async def play() -> None:
        operations = await operations_of(store_in("eu"), *[b"v"] * 10)
        script = Script(*[news(*operations[at : at + 2]) for at in range(0, 10, 2)])
        side = Side(script, most=2)
        await side.puller.run_once()
        assert sum((await side.store.heads("notes")).applied.values()) == 10
        received = [sum(request.streams[0].received.values()) for request in script.asked]
        assert received == [0, 2, 4, 6, 8, 10]

    virtual_time.run(play())


def test_while_there_is_more_ever_more_is_asked_for_up_to_a_bound_and_then_one_batch_again() -> None:
    async def play() -> None:
        operations = await operations_of(store_in("eu"), *[b"v"] * 80)
        script = Script(*[news(*operations[at : at + 10]) for at in range(0, 80, 10)])
        side = Side(script, most=2)
        await side.puller.run_once()
        await side.puller.run_once()
        assert [request.max_operations for request in script.asked] == [2, 4, 8, 16, 32, 32, 32, 32, 32, 2]

    virtual_time.run(play())


def test_a_long_answer_is_applied_in_batches_of_the_configured_size() -> None:
    async def play() -> None:
        operations = await operations_of(store_in("eu"), *[b"v"] * 7)
        side = Side(Script(news(*operations)), most=3)
        await side.puller.run_once()
        assert side.applied == ["notes"] * 3
        assert sum((await side.store.heads("notes")).applied.values()) == 7

    virtual_time.run(play())


def test_what_is_applied_is_confirmed_with_the_next_question() -> None:
    async def play() -> None:
        operations = await operations_of(store_in("eu"), b"v")
        script = Script(news(*operations))
        side = Side(script)
        await side.puller.run_once()
        await side.puller.run_once()
        assert [sum(request.streams[0].applied.values()) for request in script.asked] == [0, 1]

    virtual_time.run(play())


def test_the_same_store_through_another_node_is_asked_once_in_a_while() -> None:
    async def play() -> None:
        script = Script(lambda _: Pulled(PROTOCOL, "us:store1", 1000.0, ()))
        side = Side(script)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await side.puller.run_once()
        assert loop.time() - began >= 1.0
        assert side.puller.standing.is_reached

    virtual_time.run(play())


def test_a_gap_is_asked_for_again_and_no_one_is_blamed() -> None:
    async def play() -> None:
        operations = await operations_of(store_in("eu"), b"a", b"b", b"c")
        side = Side(Script(news(operations[2]), news(*operations)))
        await side.puller.run_once()
        assert (await side.store.heads("notes")).received == {}
        await side.puller.run_once()
        assert sum((await side.store.heads("notes")).applied.values()) == 3
        assert side.puller.standing.distrusted == {}

    virtual_time.run(play())


def test_answers_that_come_again_or_in_another_order_change_nothing_that_was_applied() -> None:
    async def play() -> None:
        operations = await operations_of(store_in("eu"), *[b"v"] * 6)
        early, late = news(*operations[:3]), news(*operations[3:])
        whole = news(*operations)
        side = Side(Script(late, early, early, late, early, whole, late))
        for _ in range(7):
            await side.puller.run_once()
        assert (await side.store.heads("notes")).applied == {store_in("eu").origin("notes"): 6}
        assert side.puller.standing.operations == 6, "each was taken once"
        assert (await side.store.stats("notes")).log_operations == 6
        assert side.puller.standing.distrusted == {}

    virtual_time.run(play())


def test_two_pasts_of_one_origin_stop_that_origin_only() -> None:
    async def play() -> None:
        first, second = Disk(), Disk()
        one = store_in("eu", first)
        operations = await operations_of(one, b"a", b"b")
        second.streams = first.image().streams
        forked = store_in("eu", second, seed="1 again")
        await one.write([Write(stream="notes", key="x", kind="put", value=b"one")], now=1000.0)
        await forked.write([Write(stream="notes", key="x", kind="put", value=b"other")], now=1000.0)
        theirs = await forked.operations_after("notes", {}, max_operations=9, max_bytes=1 << 20)
        ours = await one.operations_after("notes", {}, max_operations=9, max_bytes=1 << 20)
        assert theirs[:2] == operations == ours[:2]
        script = Script(news(*ours), news(theirs[2]))
        side = Side(script)
        for _ in range(3):
            await side.puller.run_once()
        origin = one.origin("notes")
        assert side.puller.standing.distrusted.keys() == {("notes", origin)}
        assert ("error", "operations are taken no more: fork") in side.said
        assert script.asked[-1].streams[0].received[origin] > 1 << 60
        assert side.puller.trust_again("notes", origin)
        assert side.puller.standing.distrusted == {}

    virtual_time.run(play())


def test_a_damaged_value_costs_its_key_and_not_its_origin() -> None:
    async def play() -> None:
        first, second = await operations_of(store_in("eu"), b"value", b"other")
        damaged = msgspec.structs.replace(first, value=b"eulav")
        side = Side(Script(*[news(damaged, second)] * TRIES))
        for _ in range(TRIES):
            await side.puller.run_once()
        assert side.puller.standing.distrusted == {}
        assert (await side.store.stats("notes")).quarantined == 1
        assert await side.store.read("notes", "k1") is not None
        assert ("error", "an operation is quarantined: only its key waits") in side.said

    virtual_time.run(play())


def test_a_peer_that_knows_more_of_this_store_than_it_makes_it_begin_a_new_life() -> None:
    async def play() -> None:
        disk = Disk()
        lost = store_in("us", disk)
        backup = disk.image()
        operations = await operations_of(lost, b"a", b"b")
        side = Side(Script(news(*operations)), disk=backup)
        before = side.store.origin("notes")
        await side.puller.run_once()
        assert side.store.origin("notes") != before
        assert (await side.store.heads("notes")).applied == {before: 2}
        assert ("error", "this store has lost memory") in side.said

    virtual_time.run(play())


def test_a_stream_that_nobody_asked_for_is_refused_loudly() -> None:
    async def play() -> None:
        side = Side(Script(news(stream="profiles")))
        await side.puller.run_once()
        assert ("error", "a peer sent a stream that nobody asked for, refused") in side.said

    virtual_time.run(play())


@pytest.mark.parametrize("answer", [PeerUnavailable("connection refused"), b"noise"])
def test_a_peer_that_fails_is_asked_again_with_growing_pauses_and_named_once(answer: Exception | bytes) -> None:
    async def play() -> None:
        script = Script(*[answer] * 20)
        side = Side(script)
        task = asyncio.get_running_loop().create_task(side.puller.run())
        await asyncio.sleep(60)
        task.cancel()
        assert 60 / BACKOFF_MAX_S / 1.5 < len(script.asked) < 60
        assert side.said.count(("warning", "no replication from a peer")) == 1

    virtual_time.run(play())


def test_a_peer_that_is_heard_again_is_asked_at_once_and_not_when_the_pause_is_over() -> None:
    async def play() -> None:
        script = Script(*[PeerUnavailable("connection refused")] * 100)
        side = Side(script)
        task = asyncio.get_running_loop().create_task(side.puller.run())
        await asyncio.sleep(60)
        script.answers.clear()
        heard_at = asyncio.get_running_loop().time()
        side.puller.is_back()
        await asyncio.sleep(0.01)
        assert side.puller.standing.answered_at == heard_at
        task.cancel()

    virtual_time.run(play())


def test_a_peer_that_answers_nothing_at_once_is_not_asked_without_end() -> None:
    async def play() -> None:
        script = Script()
        task = asyncio.get_running_loop().create_task(Side(script).puller.run())
        await asyncio.sleep(10)
        task.cancel()
        assert 10 <= len(script.asked) <= 15

    virtual_time.run(play())


def test_a_full_disk_waits_and_goes_on_by_itself_when_there_is_room() -> None:
    async def play() -> None:
        operations = await operations_of(store_in("eu"), b"v")
        side = Side(Script(*[news(*operations)] * 50))
        side.store.disk.is_full = True
        task = asyncio.get_running_loop().create_task(side.puller.run())
        await asyncio.sleep(10)
        assert "cannot take more" in side.puller.standing.problem
        side.store.disk.is_full = False
        await asyncio.sleep(10)
        task.cancel()
        assert sum((await side.store.heads("notes")).applied.values()) == 1

    virtual_time.run(play())
