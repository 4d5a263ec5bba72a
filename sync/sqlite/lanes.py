"""Where does blocking work run? On a lane: a thread in a node, the caller itself in a simulation.

run(work)     -> its result, later; in the order asked, one at a time
A lane may take several at once and hand them to `together`, so that they share one transaction: group commit.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, Final, Protocol, TypeVar

Result = TypeVar("Result")
Work = Callable[[], Any]
Outcome = tuple[Any, BaseException | None]

MAX_TOGETHER: Final = 512
"""Pieces of work handed over at once: what a commit's fsync is shared by, and what one caller may wait behind."""
MAX_WAITING: Final = 65536
"""Pieces of work that may wait; more than the node lets in as requests."""


class LaneFull(Exception):
    """So much waits already that more would wait for ever."""


class Lane(Protocol):
    """One line of work."""

    async def run(self, work: Work) -> Any:
        """Do it and return what it returned, or raise what it raised. Raises LaneFull, RuntimeError when closed."""

    async def close(self) -> None:
        """Finish what was asked, then stop."""


def one_by_one(works: Sequence[Work]) -> list[Outcome]:
    """Each for itself."""
    outcomes: list[Outcome] = []
    for work in works:
        try:
            outcomes.append((work(), None))
        except Exception as error:  # noqa: BLE001 - the border: it is raised where the work was asked for
            outcomes.append((None, error))
    return outcomes


class InlineLane:
    """The caller does it: for simulations and tests that own time."""

    def __init__(self, together: Callable[[Sequence[Work]], list[Outcome]] = one_by_one) -> None:
        self._together = together

    async def run(self, work: Work) -> Any:
        ((result, error),) = self._together([work])
        if error is not None:
            raise error
        return result

    async def close(self) -> None:
        """Nothing waits."""


class ThreadLane:
    """A thread of its own. Results come back in one call to the loop for all that were done together."""

    def __init__(self, name: str, together: Callable[[Sequence[Work]], list[Outcome]] = one_by_one) -> None:
        self._loop = asyncio.get_running_loop()
        self._together = together
        self._waiting: SimpleQueue[tuple[Work, asyncio.Future[Any]] | None] = SimpleQueue()
        """None: nothing follows."""
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Work) -> Any:
        if self._is_closed:
            raise RuntimeError("the lane is closed")
        if self._waiting.qsize() >= MAX_WAITING:
            raise LaneFull
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.put((work, future))
        return await future

    async def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._waiting.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _work(self) -> None:
        while (taken := self._taken()) is not None:
            try:
                outcomes = self._together([work for work, _ in taken])
            except Exception as error:  # noqa: BLE001 - the border: whoever waits must hear of it
                outcomes = [(None, error)] * len(taken)
            done = [(future, outcome) for (_, future), outcome in zip(taken, outcomes, strict=True)]
            try:
                self._loop.call_soon_threadsafe(_deliver, done)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

    def _taken(self) -> list[tuple[Work, asyncio.Future[Any]]] | None:
        """Waits for some, and takes what has come meanwhile with it; None when nothing follows."""
        one = self._waiting.get()
        if one is None:
            return None
        taken = [one]
        while len(taken) < MAX_TOGETHER and not self._waiting.empty():
            following = self._waiting.get()
            if following is None:
                self._waiting.put(None)
                break
            taken.append(following)
        return taken


def _deliver(done: Sequence[tuple[asyncio.Future[Any], Outcome]]) -> None:
    for future, (result, error) in done:
        if future.done():
            continue  # whoever asked has left; the work is done all the same
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
