"""Waiting ends by time or by being woken, and leaves nothing behind."""

from __future__ import annotations

import asyncio

from sync.replication.waking import slept_or_woken


async def never(seconds: float) -> None:
    await asyncio.Event().wait()


async def at_once(seconds: float) -> None:
    """Time that has passed already."""


async def test_time_that_is_up_ends_it_and_nobody_has_woken_it() -> None:
    asked: list[float] = []

    async def sleep(seconds: float) -> None:
        asked.append(seconds)

    assert await slept_or_woken(sleep, 2.5, asyncio.Event()) is False
    assert asked == [2.5]


async def test_being_woken_ends_it_before_the_time() -> None:
    wake = asyncio.Event()
    waiting = asyncio.get_running_loop().create_task(slept_or_woken(never, 1.0, wake))
    await asyncio.sleep(0)
    assert not waiting.done()
    wake.set()
    assert await asyncio.wait_for(waiting, 5) is True


async def test_what_happened_before_counts_and_counts_once() -> None:
    wake = asyncio.Event()
    wake.set()
    assert await slept_or_woken(never, 1.0, wake) is True
    assert not wake.is_set()
    assert await slept_or_woken(at_once, 1.0, wake) is False
