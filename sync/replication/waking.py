"""Waiting that can be cut short: by the clock of whoever gave `sleep`, or because something happened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def slept_or_woken(sleep: Callable[[float], Awaitable[None]], seconds: float, wake: asyncio.Event) -> bool:
    """Until time is up, or `wake` is set, which it may be already; whether it was, and it is clear again."""
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(wake.wait()), group.create_task(_slept(sleep, seconds))]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
    is_woken = wake.is_set()
    wake.clear()
    return is_woken


async def _slept(sleep: Callable[[float], Awaitable[None]], seconds: float) -> None:
    await sleep(seconds)
