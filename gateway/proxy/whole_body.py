"""A request's body where the route wants all of it before anybody gets any (`buffer_request`).

All of them together are bounded by the data plane's ledger (gateway/core/buffering.py), which a body counts against
from its first byte to the end of its request: what is sent may have to be sent again.
"""

from __future__ import annotations

from gateway.core.buffering import BufferLedger


class WholeBody:
    """One request's."""

    __slots__ = ("_held_bytes", "_ledger", "_so_far")

    def __init__(self, ledger: BufferLedger) -> None:
        self._ledger = ledger
        self._so_far = bytearray()
        self._held_bytes = 0

    def take(self, data: bytes) -> bool:
        """More of it; False where there is no room left."""
        if not self._ledger.hold(len(data)):
            return False
        self._held_bytes += len(data)
        self._so_far += data
        return True

    def body(self) -> bytes:
        """All that has come, handed over: it is kept in one place only."""
        body = bytes(self._so_far)
        self._so_far = bytearray()
        return body

    def free(self) -> None:
        """The request is over."""
        self._ledger.free(self._held_bytes)
        self._held_bytes = 0
