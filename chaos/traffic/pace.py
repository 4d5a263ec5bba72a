"""When is the next request due? Open loop: a system that stalls is not asked less, so its stall is seen."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

MOST_IN_FLIGHT = 60


class Pace:
    """Starts one piece of work each time it is due, until stopped; then all that was started ends."""

    def __init__(self, per_second: float, *, rng: random.Random, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = 1 / per_second
        self._rng = rng
        self._clock = clock
        self._in_flight = 0
        self.held_back: list[float] = []
        """When work was not started because too much was still under way."""

    async def run(self, work: Callable[[int], Awaitable[None]], stopping: asyncio.Event) -> None:
        """`work` gets numbers from 1."""
        due = self._clock() + self._rng.random() * self._every_s
        number = 0
        async with asyncio.TaskGroup() as group:
            while not await stopped_within(stopping, due - self._clock()):
                due += self._every_s
                if self._in_flight >= MOST_IN_FLIGHT:
                    self.held_back.append(self._clock())
                    continue
                number += 1
                group.create_task(self._one(work, number))

    async def _one(self, work: Callable[[int], Awaitable[None]], number: int) -> None:
        self._in_flight += 1
        try:
            await work(number)
        finally:
            self._in_flight -= 1


async def stopped_within(stopping: asyncio.Event, seconds: float) -> bool:
    """Whether it was time to stop; returns then, or after so many seconds."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return stopping.is_set()
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return False
    return True
