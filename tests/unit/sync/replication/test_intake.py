"""What is wrong in a peer's answer costs as little as it can: one key, one origin, or nothing but another question."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import msgspec

from sync.core.dots import Dot
from sync.core.operation import Sealed, dot_of, without_value
from sync.errors import Unstorable
from sync.replication.intake import TRIES, Intake
from sync.replication.quarantine import Quarantine
from sync.store import Receipt
from tests.harness import virtual_time
from tests.harness.memory_store import Disk, MemoryStore
from tests.unit.sync.replication.test_pulling import PLANS, Script, operations_of, store_in


class Side:
    """The receiving store, with what takes in for it."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.said: list[str] = []
        self.quarantine = Quarantine(
            store, PLANS, [], say=lambda level, event, _: self.said.append(event), sleep=asyncio.sleep, wall=wall
        )
        self.intake = Intake(
            Script(), store, self.quarantine, say=lambda level, event, _: self.said.append(event), wall=wall
        )

    async def keys(self) -> list[str]:
        return [one.key for one in await self.store.list_keys("notes", prefix="", after="", limit=100)]


class Picky(MemoryStore):
    """A store that cannot take some values."""

    async def receive(
        self, stream: str, operations: Sequence[Sealed], *, now: float, poison: Collection[Dot] = ()
    ) -> Receipt:
        if any(one.value.startswith(b"beyond") and dot_of(one.head) not in poison for one in operations):
            raise Unstorable("more than the store can take")
        return await super().receive(stream, operations, now=now, poison=poison)


def wall() -> float:
    return 1000.0


def test_damage_on_the_way_is_asked_for_again_and_costs_nothing() -> None:
    async def play() -> None:
        (sound,) = await operations_of(store_in("eu"), b"value")
        damaged = msgspec.structs.replace(sound, value=b"eulav")
        side = Side(store_in("us"))
        for _ in range(TRIES - 1):
            receipt = await side.intake.take("notes", [damaged])
            assert receipt.problem is not None
        assert (await side.intake.take("notes", [sound])).applied == 1
        assert (await side.store.stats("notes")).held == 0
        assert side.said == []

    virtual_time.run(play())


def test_faults_count_only_in_a_row() -> None:
    async def play() -> None:
        first, second = await operations_of(store_in("eu"), b"a", b"b")
        side = Side(store_in("us"))
        for sound in (first, second):
            for _ in range(TRIES - 1):
                await side.intake.take("notes", [msgspec.structs.replace(sound, value=b"!")])
            assert (await side.intake.take("notes", [sound])).applied == 1
        assert side.said == []

    virtual_time.run(play())


def test_a_value_that_stays_wrong_is_quarantined_and_the_rest_of_the_answer_is_taken() -> None:
    async def play() -> None:
        first, *others = await operations_of(store_in("eu"), b"a", b"b", b"c")
        damaged = msgspec.structs.replace(first, value=b"!")
        side = Side(store_in("us"))
        for _ in range(TRIES):
            receipt = await side.intake.take("notes", [damaged, *others])
        assert (receipt.problem, receipt.held, receipt.applied) == (None, 1, 2)
        assert await side.keys() == ["k1", "k2"]
        (found,) = (await side.quarantine.found("notes")).values()
        assert (found.peer, found.at) == ("eu", 1000.0)
        assert found.why == "a value that is not the one its head names"

    virtual_time.run(play())


def test_what_a_peer_says_it_has_lost_is_quarantined_at_once() -> None:
    async def play() -> None:
        first, second = await operations_of(store_in("eu"), b"a", b"b")
        side = Side(store_in("us"))
        receipt = await side.intake.take("notes", [without_value(first), without_value(second)])
        assert (receipt.problem, receipt.held) == (None, 2)

    virtual_time.run(play())


def test_what_the_store_refuses_is_found_and_quarantined_alone() -> None:
    async def play() -> None:
        values = [b"a", b"b", b"beyond 1", b"c", b"beyond 2", b"d", b"e"]
        operations = await operations_of(store_in("eu"), *values)
        side = Side(Picky(PLANS, region="us", name="store1", seed="us 1", disk=Disk()))
        receipt = await side.intake.take("notes", operations)
        assert (receipt.problem, receipt.applied, receipt.held) == (None, 5, 2)
        assert await side.keys() == ["k0", "k1", "k3", "k5", "k6"]
        passed_on = await side.store.operations_after("notes", {}, max_operations=100, max_bytes=1 << 20)
        assert passed_on == operations, "what is sound is passed on whole"

    virtual_time.run(play())


def test_a_head_that_stays_unreadable_stops_its_origin_and_a_gap_nobody() -> None:
    async def play() -> None:
        first, second = await operations_of(store_in("eu"), b"a", b"b")
        side = Side(store_in("us"))
        for _ in range(TRIES + 1):
            await side.intake.take("notes", [second])
        assert side.intake.distrusted == {}
        noise = Sealed(first.head[:-3], first.salt, first.value)
        for _ in range(TRIES):
            await side.intake.take("notes", [noise])
        assert len(side.intake.distrusted) == 1
        ((stream, origin),) = side.intake.distrusted
        assert side.intake.trust_again(stream, origin)
        assert side.intake.distrusted == {}

    virtual_time.run(play())
