from __future__ import annotations

import asyncio

from sync.wakeups import Wakeups


async def test_who_waits_is_woken_by_its_own_stream_only() -> None:
    wakeups = Wakeups()
    wakeups.moved({"notes": 3})
    assert await wakeups.wait({"notes": 2}, timeout_s=0)
    waiting = asyncio.gather(wakeups.wait({"notes": 3}, timeout_s=30), wakeups.wait({"notes": 3}, timeout_s=30))
    await asyncio.sleep(0)
    wakeups.moved({"settings": 9, "notes": 3})
    assert wakeups.waiting("notes") == 2
    wakeups.moved({"notes": 4})
    assert all(await waiting)
    assert wakeups.waiting("notes") == 0


async def test_whoever_waits_for_several_is_woken_by_the_first_and_waits_for_none_of_them_any_more() -> None:
    wakeups = Wakeups()
    waiting = asyncio.gather(wakeups.wait({"notes": 0, "settings": 5}, timeout_s=30))
    await asyncio.sleep(0)
    wakeups.moved({"settings": 5})
    assert wakeups.waiting("settings") == 1
    wakeups.moved({"settings": 6})
    assert all(await waiting)
    assert wakeups.waiting("notes") == wakeups.waiting("settings") == 0


async def test_waiting_ends_in_time_and_leaves_nothing_behind() -> None:
    wakeups = Wakeups()
    assert not await wakeups.wait({"notes": 0}, timeout_s=0)
    assert wakeups.waiting("notes") == 0
