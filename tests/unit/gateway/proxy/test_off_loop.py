"""Work beside the loop comes back to it, failed work too."""

from __future__ import annotations

import asyncio
import threading

import pytest

from gateway.proxy.off_loop import OffLoop


async def test_work_is_done_by_another_thread_and_told_on_the_loop() -> None:
    off_loop, done = OffLoop(asyncio.get_running_loop()), asyncio.Event()
    seen: list[object] = []

    def then(result: bytes | None) -> None:
        seen.extend((result, threading.current_thread() is threading.main_thread()))
        done.set()

    off_loop.run(lambda: threading.current_thread().name.encode()[:6], then)
    await done.wait()
    assert seen == [b"bodies", True]
    off_loop.close()


async def test_work_that_fails_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    off_loop, done = OffLoop(asyncio.get_running_loop()), asyncio.Event()
    seen: list[bytes | None] = []

    def fail() -> bytes:
        raise MemoryError

    def then(result: bytes | None) -> None:
        seen.append(result)
        done.set()

    off_loop.run(fail, then)
    await done.wait()
    assert seen == [None]
    assert "work on a body failed" in caplog.text
    off_loop.close()


async def test_nothing_is_started_where_nothing_is_to_be_done() -> None:
    OffLoop(asyncio.get_running_loop()).close()
