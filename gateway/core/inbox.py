"""What has a client sent that nobody has taken yet, and is there a whole request head in it?

A head is looked for once in every byte, however small the pieces that it comes in, and taking one of many does not
copy the others.
"""

from __future__ import annotations

import re
from typing import Final

_NO_EMPTY_LINE: Final = re.compile(rb"[^\r\n]")


class Inbox:
    """Bytes in the order they came."""

    __slots__ = ("_at", "_data", "_looked")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        """Everything before has been taken."""
        self._looked = 0
        """No head ends before, but for the last three bytes."""

    @property
    def size(self) -> int:
        return len(self._data) - self._at

    def add(self, data: bytes) -> None:
        if self._at < len(self._data):
            self._looked -= self._at
            self._data = self._data[self._at :] + data
        else:
            self._data = data
            self._looked = 0
        self._at = 0

    def next_head(self) -> bytes | None:
        """The next head, with the empty line that ends it; empty lines before it are dropped (RFC 9112 section 2.2)."""
        data, at = self._data, self._at
        if data[at : at + 1] == b"\r":
            first = _NO_EMPTY_LINE.search(data, at)
            # A last CR may be half of an empty line: it waits for the other half.
            at = self._at = first.start() if first else len(data) - (len(data) - at) % 2
        end = data.find(b"\r\n\r\n", max(at, self._looked - 3)) + 4
        if end == 3:
            self._looked = len(data)
            return None
        self._at = self._looked = end
        return data[at:end]

    def peek(self) -> bytes:
        """All that is there."""
        return self._data[self._at :]

    def take(self, size: int | None = None) -> bytes:
        """The first `size` bytes, or all."""
        start = self._at
        self._at = len(self._data) if size is None else start + size
        self._looked = max(self._looked, self._at)
        return self._data[start : self._at]
