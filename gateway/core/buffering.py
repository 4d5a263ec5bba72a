"""How much of requests' bodies does a data plane hold whole, for routes with `buffer_request`?

Each body has the limit of its route; all of them together have this one, so that many slow uploads at once end in 503
and not in a process without memory.
"""

from __future__ import annotations

from typing import Final

from gateway.core import reasons
from gateway.core.problems import Answer

MAX_BYTES: Final = 256 << 20
"""Of a node; divided among its data planes, each of which may hold at least one body of the largest default."""
MIN_BYTES: Final = 16 << 20

BUFFERS_FULL: Final = Answer(
    503,
    reasons.BUFFERS_FULL,
    "too many bodies are being received at once",
    "http_request_error",
    retry_after_s=2,
)


class BufferLedger:
    """One data plane's."""

    def __init__(self, *, workers: int = 1) -> None:
        self.held_bytes = 0
        self._most = max(MIN_BYTES, MAX_BYTES // workers)

    def hold(self, size: int) -> bool:
        """Whether there is room for `size` bytes more, which are then held."""
        if self.held_bytes + size > self._most:
            return False
        self.held_bytes += size
        return True

    def free(self, size: int) -> None:
        self.held_bytes -= size
