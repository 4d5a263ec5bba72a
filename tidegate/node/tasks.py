"""The one place where a task starts: named, referenced, and its failure is heard.

A bare `asyncio.create_task` may be collected half way (the loop holds it weakly), and its exception is told to nobody.
Here a task either ends the process it belongs to (`fatal`: the supervisor starts a clean one) or is started again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.restarting import RESTART_DELAY_S, restarted
from tidegate.node.logs import Log


class Ending:
    """When, and with which exit code, a process is to end; the first word counts."""

    def __init__(self) -> None:
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def end(self, code: int) -> None:
        if not self._code.done():
            self._code.set_result(code)

    async def wait(self) -> int:
        return await self._code


class Tasks:
    """The tasks of one component; close it and none is left."""

    def __init__(
        self,
        log: Log,
        *,
        on_fatal: Callable[[BaseException], None] | None = None,
        retry_s: float = RESTART_DELAY_S,
    ) -> None:
        self._log = log
        self._retry_s = retry_s
        self._on_fatal = on_fatal
        self._running: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """Run `work` once. A failure is logged and told to `on_fatal`."""
        return self._track(name, self._fatal(name, work))

    def keep(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """Run `work`, and again whenever it fails: for what the rest can live without for a second."""
        return self._track(name, self._again(name, work))

    def __len__(self) -> int:
        return len(self._running)

    async def close(self) -> None:
        """Cancel all, and wait until they are gone."""
        running = [task for task in self._running if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _track(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _fatal(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except Exception as failure:  # noqa: BLE001 - the border: whatever failed is logged and ends the owner
            self._log.problem("task failed", task=name, exc_info=failure)
            if self._on_fatal is not None:
                self._on_fatal(failure)

    async def _again(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        def tell(failure: Exception) -> None:
            self._log.problem("task failed, starting it again", task=name, exc_info=failure)

        await restarted(work, tell=tell, delay_s=self._retry_s)
