"""Waits for something to become true, with a deadline, and says what was waited for when it does not.

The demo never sleeps for a fixed time in the hope that something has happened by then: it looks again and again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

LOOK_EVERY_S = 0.05


class NotInTimeError(Exception):
    """What was waited for did not come true before the deadline."""

    def __init__(self, what: str, within_s: float) -> None:
        super().__init__(f"waited {within_s:.1f} s in vain: {what}")
        self.what = what
        self.within_s = within_s


async def until(
    condition: Callable[[], bool | Awaitable[bool]],
    *,
    within_s: float,
    what: str,
    every_s: float = LOOK_EVERY_S,
    clock: Callable[[], float] = time.monotonic,
) -> float:
    """Return how many seconds it took until `condition` held; raise `NotInTimeError` after `within_s`."""
    began = clock()
    while not await _holds(condition):
        if clock() - began > within_s:
            raise NotInTimeError(what, within_s)
        await asyncio.sleep(every_s)
    return clock() - began


async def _holds(condition: Callable[[], bool | Awaitable[bool]]) -> bool:
    holds = condition()
    return holds if isinstance(holds, bool) else await holds
