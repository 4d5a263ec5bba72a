from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from sync.core.writes import Write
from sync.errors import StoreUnavailable
from sync.postgres.desk import MAX_BATCH_BYTES, MAX_TOGETHER, Desk
from tests.integration.sync.store_contract import NOW, put


class SlowLedger:
    """Commits when it is told to; says what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.may_go = asyncio.Semaphore(0)
        self.trouble: Exception | None = None
        self.is_reachable = True

    async def open(self) -> None:
        if not self.is_reachable:
            raise StoreUnavailable("gone")

    async def write(self, asked: Sequence[tuple[Write, float]]) -> list[str]:
        self.batches.append([write.key for write, _ in asked])
        await self.may_go.acquire()
        if self.trouble is not None:
            raise self.trouble
        return [f"wrote {write.key}" for write, _ in asked]

    def close(self) -> None:
        self.batches.append(["closed"])


@pytest.fixture
async def ledger() -> SlowLedger:
    return SlowLedger()


@pytest.fixture
async def desk(ledger: SlowLedger) -> AsyncIterator[Desk]:
    made = Desk(cast(Any, ledger), max_waiting=8)
    serving = asyncio.get_running_loop().create_task(made.serve())
    yield made
    ledger.may_go.release()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


def write(desk: Desk, *keys: str, value: bytes = b"v") -> asyncio.Future[Any]:
    return asyncio.gather(desk.write([(put(key, value), NOW) for key in keys]))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_comes_while_a_commit_is_on_its_way_shares_the_next_one(desk: Desk, ledger: SlowLedger) -> None:
    calls = [write(desk, "a")]
    await settle()
    calls += [write(desk, "b"), write(desk, "c", "d")]
    await settle()
    assert ledger.batches == [["a"]]
    for _ in range(2):
        ledger.may_go.release()
    answers = [answer for (answer,) in await asyncio.gather(*calls)]
    assert answers == [["wrote a"], ["wrote b"], ["wrote c", "wrote d"]]
    assert ledger.batches == [["a"], ["b", "c", "d"]]


async def test_other_work_stands_alone_in_its_turn(desk: Desk, ledger: SlowLedger) -> None:
    async def prune() -> str:
        ledger.batches.append(["prune"])
        return "pruned"

    calls = [write(desk, "a"), write(desk, "b")]
    pruned = asyncio.gather(desk.alone(prune))
    calls.append(write(desk, "c"))
    await settle()
    for _ in range(3):
        ledger.may_go.release()
    await asyncio.gather(*calls)
    assert list(await pruned) == ["pruned"]
    assert ledger.batches == [["a", "b"], ["prune"], ["c"]]


async def test_a_commit_is_bounded_in_writes_and_in_bytes(desk: Desk, ledger: SlowLedger) -> None:
    many = [write(desk, *(f"k{at}" for at in range(MAX_TOGETHER - 1))), write(desk, "x", "y")]
    large = [write(desk, "big", value=bytes(MAX_BATCH_BYTES)), write(desk, "behind")]
    await settle()
    for _ in range(4):
        ledger.may_go.release()
    await asyncio.gather(*many, *large)
    assert [len(batch) for batch in ledger.batches] == [MAX_TOGETHER - 1, 2, 1, 1]


async def test_a_failure_is_told_to_those_it_concerns_and_the_line_goes_on(desk: Desk, ledger: SlowLedger) -> None:
    first = write(desk, "a")
    await settle()
    ledger.trouble = StoreUnavailable("a fault")
    ledger.may_go.release()
    with pytest.raises(StoreUnavailable, match="a fault"):
        await first
    ledger.trouble = None
    ledger.may_go.release()
    assert await write(desk, "b") == [["wrote b"]]


async def test_while_the_database_is_gone_everybody_in_line_is_told(desk: Desk, ledger: SlowLedger) -> None:
    ledger.is_reachable = False
    outcomes = await asyncio.gather(*(write(desk, f"k{at}") for at in range(3)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["gone"] * 3
    assert ledger.batches == []


async def test_a_caller_who_leaves_does_not_stop_the_commit(desk: Desk, ledger: SlowLedger) -> None:
    leaving, staying = write(desk, "a"), write(desk, "b")
    await settle()
    leaving.cancel()
    ledger.may_go.release()
    assert await staying == [["wrote b"]]
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_the_line_is_bounded(desk: Desk, ledger: SlowLedger) -> None:
    first = write(desk, "a")
    await settle()
    line = [asyncio.get_running_loop().create_task(desk.write([(put("k", b"v"), NOW)])) for _ in range(8)]
    await settle()
    with pytest.raises(StoreUnavailable, match="too much waits"):
        await desk.write([(put("k", b"v"), NOW)])
    for one in (first, *line):
        one.cancel()
    await asyncio.gather(first, *line, return_exceptions=True)


async def test_closing_finishes_what_was_asked_and_takes_no_more(desk: Desk, ledger: SlowLedger) -> None:
    asked = write(desk, "a")
    await settle()
    closing = asyncio.gather(desk.close())
    ledger.may_go.release()
    assert await asked == [["wrote a"]]
    await closing
    assert ledger.batches == [["a"], ["closed"]]
    with pytest.raises(StoreUnavailable, match="closed"):
        await desk.write([(put("b", b"v"), NOW)])
