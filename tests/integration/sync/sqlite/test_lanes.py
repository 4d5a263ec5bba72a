from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from functools import partial

import pytest

from sync.sqlite.lanes import InlineLane, Outcome, ThreadLane, Work, one_by_one


def fail() -> None:
    raise ValueError("planted")


async def test_work_is_done_on_a_thread_of_its_own_in_the_order_asked() -> None:
    lane = ThreadLane("a lane")
    done: list[int] = []
    await asyncio.gather(*(lane.run(partial(done.append, at)) for at in range(100)))
    assert done == list(range(100))
    assert await lane.run(lambda: threading.current_thread().name) == "a lane"
    await lane.close()


async def test_what_waits_meanwhile_is_handed_over_together() -> None:
    sizes: list[int] = []
    started, go_on = threading.Event(), threading.Event()

    def together(works: Sequence[Work]) -> list[Outcome]:
        sizes.append(len(works))
        return one_by_one(works)

    def slow() -> None:
        started.set()
        go_on.wait(10)

    lane = ThreadLane("a lane", together)
    first = asyncio.gather(lane.run(slow))
    await asyncio.sleep(0)
    assert started.wait(10)
    others = asyncio.gather(*(lane.run(lambda: None) for _ in range(5)))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(first, others)
    assert sizes == [1, 5]
    await lane.close()


@pytest.mark.parametrize("make", [lambda: ThreadLane("a lane"), InlineLane])
async def test_a_failure_is_raised_where_it_was_asked_for_and_costs_no_other(
    make: type[InlineLane],
) -> None:
    lane = make()
    outcomes = await asyncio.gather(lane.run(fail), lane.run(lambda: 1), return_exceptions=True)
    assert isinstance(outcomes[0], ValueError)
    assert outcomes[1] == 1
    await lane.close()


async def test_closing_finishes_what_was_asked_and_takes_nothing_more() -> None:
    lane = ThreadLane("a lane")
    done: list[int] = []
    asked = asyncio.gather(*(lane.run(partial(done.append, at)) for at in range(10)))
    await asyncio.sleep(0)
    await lane.close()
    await asked
    assert done == list(range(10))
    with pytest.raises(RuntimeError, match="closed"):
        await lane.run(lambda: None)


async def test_whoever_left_does_not_stop_the_work() -> None:
    lane = ThreadLane("a lane")
    done: list[int] = []
    waiting = asyncio.gather(lane.run(lambda: done.append(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    await lane.run(lambda: done.append(2))
    assert done == [1, 2]
    await lane.close()
