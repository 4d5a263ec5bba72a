"""Processes in one loop: each may stand still (SIGSTOP), and end in the middle of whatever it does (SIGKILL).

    life = Life("eu")                 task = life.spawn(work(), name="...")
    life.pause(3.0)                   nothing of it runs for three seconds; then all that was due, late
    life.end()                        nothing of it ever runs again: no handler, no `finally`

Whatever a task of a life starts belongs to that life, by its context; the loop holds back what stands still, and drops
what is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

from tests.harness.virtual_time import VirtualLoop

Result = TypeVar("Result")

_LIFE: ContextVar[Life | None] = ContextVar("life", default=None)
GRAIN_S = 1e-7
"""Between two things that were due while a process stood still: they keep their order."""


class Life:
    """One process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stands_until = 0.0
        self.is_over = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._context = copy_context()
        self._context.run(_LIFE.set, self)
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Result], *, name: str) -> asyncio.Task[Result]:
        """Run it as this process's."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self.name}: {name}", context=self._own())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def within(self, work: Callable[[], Result]) -> Result:
        """Call it as this process would: what it starts is this process's."""
        return self._own().run(work)

    def pause(self, seconds: float) -> None:
        self.stands_until = max(self.stands_until, asyncio.get_running_loop().time() + seconds)

    def end(self) -> None:
        self.is_over = True
        if not self.ended.done():
            self.ended.set_result(None)

    def _own(self) -> Context:
        return self._context.run(copy_context)


class LivesLoop(VirtualLoop):
    """Holds back and drops."""

    def __init__(self) -> None:
        super().__init__()
        self._grains = 0
        self.troubles: list[str] = []
        """What failed and nobody has asked about: defects."""
        self._dropped: list[tuple[asyncio.Handle, Callable[..., object], tuple[Any, ...], Context | None]] = []
        """What the dead were about to do."""
        self._lets_go = False
        self.set_exception_handler(self._trouble)

    def let_go(self) -> None:
        """At the end all else is cancelled, the dead too: what was dropped of them is done after all, for a task that
        was never begun, or never woken, cannot be cancelled and would be waited for without end."""
        self._lets_go = True
        for task in asyncio.all_tasks(self) - {asyncio.current_task(self)}:
            task.cancel()
        for handle, callback, args, context in self._dropped:
            if not handle.cancelled():
                super().call_soon(callback, *args, context=context)

    def _trouble(self, loop: asyncio.AbstractEventLoop, facts: dict[str, Any]) -> None:
        if "was destroyed but it is pending" not in facts["message"]:  # so end the dead
            self.troubles.append(f"{facts['message']}: {facts.get('exception')!r}")

    def call_soon(  # type: ignore[override]  # typeshed ties the arguments to the callback's
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        life = _LIFE.get() if context is None else context.get(_LIFE)
        if life is None or self._lets_go:
            return super().call_soon(callback, *args, context=context)
        if life.is_over:
            handle = asyncio.Handle(callback, args, self, context)
            self._dropped.append((handle, callback, args, context))
            return handle
        if life.stands_until > self.time():
            return self.call_at(life.stands_until, callback, *args, context=context)
        return super().call_soon(callback, *args, context=context)

    def call_at(  # type: ignore[override]  # as above
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        life = _LIFE.get() if context is None else context.get(_LIFE)
        if life is None or self._lets_go:
            return super().call_at(when, callback, *args, context=context)

        def due() -> None:
            if handle.cancelled():
                return
            if life.is_over and not self._lets_go:
                self._dropped.append((handle, callback, args, context))
            elif life.stands_until > self.time() and not self._lets_go:
                self._grains += 1
                at = life.stands_until + GRAIN_S * (self._grains % 10_000)
                super(LivesLoop, self).call_at(at, due, context=context)
            else:
                callback(*args)

        handle = super().call_at(when, due, context=context)
        return handle
