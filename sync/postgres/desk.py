"""Who waits to write to a class? A line of calls; those at its front that may share a commit do: group commit.

    write(asked)   joins its neighbours, up to MAX_TOGETHER writes or MAX_BATCH_BYTES
    alone(work)    stands alone, in its turn
    serve()        the one that works the line off, until the desk is closed

While one commit is on its way the next ones gather; so the busier it is, the more share one. When the database cannot
be reached everybody in the line is told at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sync.core.writes import Refusal, Write, Written
from sync.errors import StoreUnavailable
from sync.postgres.ledger import Ledger

Answer = TypeVar("Answer")

MAX_TOGETHER: Final = 512
"""Writes that share a commit: what one caller may wait behind."""
MAX_BATCH_BYTES: Final = 4 << 20
MAX_WAITING: Final = 65536
"""Calls in line; more than the node lets in as requests."""


@dataclass(slots=True)
class _Call:
    """One in line: writes, or work of another kind."""

    answer: asyncio.Future[Any]
    asked: Sequence[tuple[Write, float]] = ()
    work: Callable[[], Awaitable[Any]] | None = None

    def size(self) -> int:
        return sum(len(write.value) for write, _ in self.asked)


class Desk:
    """A class's."""

    def __init__(self, ledger: Ledger, *, max_waiting: int = MAX_WAITING) -> None:
        self.ledger = ledger
        self._max_waiting = max_waiting
        self._line: deque[_Call] = deque()
        self._wake = asyncio.Event()
        self._is_closed = False
        self._done = asyncio.Event()
        self._done.set()

    async def write(self, asked: Sequence[tuple[Write, float]]) -> list[Written | Refusal]:
        """Durable when it returns. Raises StoreUnavailable."""
        results: list[Written | Refusal] = await self._wait(_Call(asyncio.get_running_loop().create_future(), asked))
        return results

    async def alone(self, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """Do it when its turn comes. Raises what it raises."""
        answer: Answer = await self._wait(_Call(asyncio.get_running_loop().create_future(), work=work))
        return answer

    async def _wait(self, call: _Call) -> Any:
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        if len(self._line) >= self._max_waiting:
            raise StoreUnavailable("too much waits for the store already, expected less load")
        self._line.append(call)
        self._wake.set()
        return await call.answer

    async def serve(self) -> None:
        """Work the line off; ends once the desk is closed and the line is empty."""
        self._done.clear()
        try:
            while True:
                while self._line:
                    await self._next()
                if self._is_closed:
                    return
                self._wake.clear()
                await self._wake.wait()
        finally:
            self._tell_all(StoreUnavailable("the store was closed"))
            self._done.set()

    async def close(self) -> None:
        """Finish what was asked; nobody may come any more."""
        self._is_closed = True
        self._wake.set()
        await self._done.wait()
        self._tell_all(StoreUnavailable("the store was closed"))
        self.ledger.close()

    async def _next(self) -> None:
        group = self._taken()
        try:
            await self.ledger.open()
        except StoreUnavailable as error:
            self._line.extendleft(reversed(group))
            self._tell_all(error)
            return
        try:
            if group[0].work is not None:
                _tell(group, [await group[0].work()])
            else:
                results = await self.ledger.write([pair for call in group for pair in call.asked])
                shares = []
                for call in group:
                    shares.append(results[: len(call.asked)])
                    results = results[len(call.asked) :]
                _tell(group, shares)
        except Exception as error:  # noqa: BLE001 - the border: it is raised where the work was asked for
            _tell(group, error)
        except BaseException:
            _tell(group, StoreUnavailable("the store was closed"))
            raise

    def _taken(self) -> list[_Call]:
        """The front of the line, as far as it may share a commit."""
        group = [self._line.popleft()]
        count, size = len(group[0].asked), group[0].size()
        while group[0].work is None and self._line and self._line[0].work is None:
            count, size = count + len(self._line[0].asked), size + self._line[0].size()
            if count > MAX_TOGETHER or size > MAX_BATCH_BYTES:
                break
            group.append(self._line.popleft())
        return group

    def _tell_all(self, error: StoreUnavailable) -> None:
        _tell(self._line, error)
        self._line.clear()


def _tell(calls: Sequence[_Call] | deque[_Call], answer: Sequence[Any] | Exception) -> None:
    for index, call in enumerate(calls):
        if call.answer.done():
            continue  # whoever asked has left; the work is done all the same
        if isinstance(answer, Exception):
            call.answer.set_exception(answer)
        else:
            call.answer.set_result(answer[index])
