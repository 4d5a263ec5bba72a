"""Open loop: work starts when it is due, and all of it ends."""

from __future__ import annotations

import asyncio
import random

from chaos.traffic.pace import MOST_IN_FLIGHT, Pace, stopped_within
from tidegate.demo.waiting import until


async def test_work_that_stalls_does_not_hold_the_next_up_and_what_is_too_much_is_counted() -> None:
    stopping, release = asyncio.Event(), asyncio.Event()
    started: list[int] = []

    async def work(number: int) -> None:
        started.append(number)
        await release.wait()

    pace = Pace(5000.0, rng=random.Random(1))
    running = asyncio.get_running_loop().create_task(pace.run(work, stopping))
    await until(lambda: bool(pace.held_back), within_s=10, what="too much under way")
    assert started == [*range(1, MOST_IN_FLIGHT + 1)]
    stopping.set()
    release.set()
    await running


async def test_a_wait_ends_when_it_is_time_to_stop() -> None:
    stopping = asyncio.Event()
    assert not await stopped_within(stopping, 0.0)
    asyncio.get_running_loop().call_soon(stopping.set)
    assert await stopped_within(stopping, 3600.0)
