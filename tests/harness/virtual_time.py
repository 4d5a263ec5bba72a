"""An event loop whose time passes only when everybody waits: hours of it in a second, the same in every run.

`run(main())` runs a coroutine to its end. Nothing may wait for a socket; whoever does would wait for ever, and is told
so by an error. What is handed to a thread is done at once.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar

Result = TypeVar("Result")


class NothingWillHappen(Exception):
    """Everybody waits, and for nothing that time brings."""


class _Leap(selectors.BaseSelector):
    """Waits by moving the clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self._keys: dict[int, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingWillHappen("every task waits for something that time does not bring")
        self.now += max(0.0, timeout)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = self._keys[number] = selectors.SelectorKey(fileobj, number, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its `time()` starts at 0."""

    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        return self._leap.now

    def run_in_executor(  # type: ignore[override]  # the standard library's own signature has no future of a kind
        self, executor: Executor | None, func: Callable[..., Result], *args: Any
    ) -> asyncio.Future[Result]:
        future: asyncio.Future[Result] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - as an executor would: whoever waits gets it
            future.set_exception(error)
        return future


def run(main: Coroutine[Any, Any, Result], *, loop: Callable[[], asyncio.AbstractEventLoop] = VirtualLoop) -> Result:
    """Run to the end; what is left is cancelled."""
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main)
