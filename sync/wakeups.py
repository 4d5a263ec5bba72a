"""Who waits for a change, and up to where has each stream come? On the loop; a store tells what it has committed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping


class Wakeups:
    """Of one store."""

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}

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
                if not waiter.done():
                    waiter.set_result(None)

    async def wait(self, stream: str, position: int, *, timeout_s: float) -> bool:
        """Until the stream has come beyond `position`; False when it has not in time."""
        if self._positions.get(stream, 0) > position:
            return True
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters = self._waiting.setdefault(stream, set())
        waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            return False
        finally:
            waiters.discard(waiter)
        return True
