"""Where in a WebSocket's bytes does one frame end and the next begin, and how does a tunnel that must end say so?

    bytes of one direction ──feed──> the last end of a frame among them
    a Close frame may be put in only there: in the middle of a frame it would be read as part of that

RFC 6455, sections 5.2 (framing), 5.5.1 (Close) and 7.4.1 (codes). Payloads are counted, never looked at.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

GOING_AWAY: Final = 1001
SERVICE_RESTART: Final = 1012

_LENGTH_BYTES: Final = {126: 2, 127: 8}


@dataclass(frozen=True, slots=True)
class Cut:
    """What is under way is waited for no longer."""

    endpoints: Collection[str] | None
    """At which endpoints; None is at all of them, and then nothing is tried elsewhere."""
    code: int
    """What a WebSocket is told."""
    detail: str
    """One sentence, for the log and the client."""
    key: bytes
    """Four random bytes that mask what an endpoint is told."""
    is_forced: bool = False
    """Not even for the end of a frame."""

    def covers(self, endpoint: str) -> bool:
        return self.endpoints is None or endpoint in self.endpoints


class Frames:
    """One direction of a tunnel."""

    __slots__ = ("_head", "_left")

    def __init__(self) -> None:
        self._head = b""
        """What there is of a frame's head that is not whole."""
        self._left = 0
        """Bytes of payload still to come."""

    @property
    def is_between(self) -> bool:
        """Whether the last byte was the last of a frame."""
        return not self._left and not self._head

    def feed(self, data: bytes) -> int:
        """How much of `data` goes up to the last end of a frame in it; -1 when none ends in it."""
        at, end, size = 0, -1, len(data)
        while at < size:
            if self._left:
                step = min(self._left, size - at)
                self._left -= step
                at += step
            else:
                missing = _head_size(self._head) - len(self._head)
                self._head += data[at : at + missing]
                at = min(size, at + missing)
                if len(self._head) < _head_size(self._head):
                    continue
                self._left = _payload_size(self._head)
                self._head = b""
            if not self._left:
                end = at
        return end


def _head_size(head: bytes) -> int:
    """As far as what is there of it tells."""
    if len(head) < 2:
        return 2
    return 2 + _LENGTH_BYTES.get(head[1] & 0x7F, 0) + (4 if head[1] & 0x80 else 0)


def _payload_size(head: bytes) -> int:
    short = head[1] & 0x7F
    extended = _LENGTH_BYTES.get(short, 0)
    return int.from_bytes(head[2 : 2 + extended], "big") if extended else short


def close_frame(code: int, text: str, key: bytes = b"") -> bytes:
    """A Close; masked by `key`, as those to a server must be, where one is given. `text` has at most 123 bytes."""
    payload = code.to_bytes(2, "big") + text.encode()[:123]
    if not key:
        return b"\x88%c" % len(payload) + payload
    masked = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
    return b"\x88%c" % (0x80 | len(payload)) + key + masked
