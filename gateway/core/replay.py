"""What of a request's body waits to be sent, and what could be sent again?

no connection yet    bytes wait here, up to `HIGH`; beyond, the client is not read from
sent                 a copy is kept as long as the whole stays within its bound, so that a retry can send it again
"""

from __future__ import annotations

from typing import Final

HIGH: Final = 64 * 1024


class Replay:
    """The body as framed for the endpoint."""

    __slots__ = ("_bound", "_kept", "_kept_size", "_waiting", "_waiting_size")

    def __init__(self, bound: int) -> None:
        """`bound`: the largest body, in bytes, that is kept for a retry."""
        self._bound = bound
        self._kept: list[bytes] | None = []
        self._kept_size = 0
        self._waiting: list[bytes] = []
        self._waiting_size = 0

    def keep(self, data: bytes) -> None:
        """Remember `data` for a retry, unless the body has become too large for that."""
        if self._kept is not None:
            self._kept_size += len(data)
            if self._kept_size <= self._bound:
                self._kept.append(data)
            else:
                self._kept = None

    def wait(self, data: bytes) -> None:
        """Hold `data` until there is a connection."""
        self._waiting.append(data)
        self._waiting_size += len(data)

    @property
    def is_full(self) -> bool:
        """Whether the client should not be read from for now."""
        return self._waiting_size > HIGH

    def take_waiting(self) -> bytes:
        """All that waits; it waits no more."""
        waiting = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_size = 0
        return waiting

    @property
    def is_whole(self) -> bool:
        """Whether all of the body so far could be sent again."""
        return self._kept is not None

    def rewind(self) -> None:
        """Let the whole body wait again, from its first byte. Only where it `is_whole`."""
        if self._kept is not None:
            self._waiting = list(self._kept)
            self._waiting_size = self._kept_size


NO_BODY: Final = Replay(0)
"""Of every request without a body: nothing is ever kept in it, and nothing waits."""
