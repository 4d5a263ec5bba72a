"""When do heads and small pieces leave? Together, when this turn of the loop has taken everything that has come.

    data_received, data_received, ...   each connection keeps what it would write
    end of the turn                     one write a connection

A write at once wakes its reader at once, whose answer then makes a turn of its own: under load every turn carries one
event, and each pays for a poll. Written together, a turn carries what came meanwhile: 45.7 us a request became 28.8
from source (docs/decisions/0017). When the loop has nothing else to do, the end of the turn is now. Large pieces go
at once: they gain nothing by waiting, and nothing may pile up here.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

LATE_BYTES: Final = 16 * 1024
"""What one connection may keep until the turn ends; more is written at once."""


class LateWriter(Protocol):
    """A connection with something to write."""

    def flush(self) -> None:
        """Write what was kept, if there still is anything."""


class LateWrites:
    """The connections of one data plane that have something to write in this turn."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[LateWriter] = []

    def add(self, connection: LateWriter) -> None:
        """Have it flushed at the end of this turn."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(connection)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for connection in waiting:
            connection.flush()
