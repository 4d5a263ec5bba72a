"""Who waits for a change, and up to where has each stream come? On the loop; a store tells what it has committed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping


class Wakeups:
    """Of one store."""

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}
        self._waiting: dict[str, dict[asyncio.Future[None], None]] = {}
        """In the order in which they came, in which they are woken: what comes of it must not depend on addresses."""

    def waiting(self, stream: str) -> int:
        """How many wait for it."""
        return len(self._waiting.get(stream, ()))

    def moved(self, positions: Mapping[str, int]) -> None:
        """Streams have come up to these positions."""
        for stream, position in positions.items():
            if position <= self._positions.get(stream, 0):
                continue
            self._positions[stream] = position
            for waiter in self._waiting.get(stream, ()):
                _wake(waiter)

    async def wait(self, positions: Mapping[str, int], *, timeout_s: float) -> bool:
        """Until any of the streams has come beyond its position; False when none has in time."""
        if self._is_any_beyond(positions):
            return True
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        for stream in positions:
            self._waiting.setdefault(stream, {})[waiter] = None
        timer = loop.call_later(timeout_s, _wake, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            for stream in positions:
                self._waiting[stream].pop(waiter, None)
        return self._is_any_beyond(positions)

    def _is_any_beyond(self, positions: Mapping[str, int]) -> bool:
        return any(self._positions.get(stream, 0) > position for stream, position in positions.items())


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
