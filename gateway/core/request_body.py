"""Which bytes are the request's body, and where does the next request begin? Framed by length or in chunks, bounded."""

from __future__ import annotations

from gateway.core import reasons
from gateway.core.chunked import ChunkedReader, ChunkedRefused
from gateway.core.head import CHUNKED
from gateway.errors import RequestRefused


class RequestBody:
    """`feed` returns what is body; `is_done` and `rest` say where it ended."""

    __slots__ = ("_left", "_limit", "_reader", "_size", "is_done", "rest")

    def __init__(self, length: int, *, limit: int | None) -> None:
        """`length` as in `RequestHead.body_length`, not 0; `limit` in bytes."""
        self._left = length
        self._reader = ChunkedReader() if length == CHUNKED else None
        self._limit = limit
        self._size = 0
        self.is_done = False
        self.rest = b""
        """After the end: the bytes that are not this body's."""

    def feed(self, data: bytes) -> bytes:
        """Body bytes in `data`. Raises `RequestRefused`."""
        reader = self._reader
        if reader is None:
            left = self._left
            if len(data) >= left:
                self.is_done = True
                self.rest = data[left:]
                data = data[:left]
            self._left = left - len(data)
            return data
        try:
            data = reader.feed(data)
        except ChunkedRefused as error:
            raise RequestRefused(str(error)) from error
        self._size += len(data)
        if self._limit is not None and self._size > self._limit:
            raise RequestRefused(f"a body above {self._limit} bytes", status=413, reason=reasons.BODY_TOO_LARGE)
        if reader.is_done:
            self.is_done = True
            self.rest = reader.rest
        return data
