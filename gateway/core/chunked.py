"""Where does a chunked body end? A strict reader of RFC 9112 section 7.1, fed any split of the bytes.

Chunk extensions and trailers are checked, bounded and dropped. Sizes are hexadecimal digits and nothing else: what
lenient readers accept (`0x1f`, `+1`, a bare LF, spaces) is how two of them come to disagree.
"""

from __future__ import annotations

import re
from typing import Final

MAX_LINE_BYTES: Final = 256
"""A size with its extensions. Nobody sends extensions; megabytes of them were an attack (CVE-2024-22019)."""
MAX_TRAILER_BYTES: Final = 8192

_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER_LINE: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")

_SIZE, _DATA, _DATA_END, _TRAILER, _DONE = range(5)


class ChunkedRefused(Exception):
    """The framing is broken: where the body ends can no longer be known."""


class ChunkedReader:
    """`feed` returns what is body; `is_done` and `rest` say where it ended."""

    __slots__ = ("_left", "_line", "_state", "_trailer_bytes", "is_done", "rest")

    def __init__(self) -> None:
        self._state = _SIZE
        self._left = 0
        self._line = b""
        self._trailer_bytes = 0
        self.is_done = False
        self.rest = b""
        """After the end: the bytes that are not this body's."""

    def feed(self, data: bytes) -> bytes:
        """Body bytes in `data`, chunks joined. Raises `ChunkedRefused`."""
        pieces: list[bytes] = []
        at = 0
        if self._line:
            data = self._line + data
            self._line = b""
        end = len(data)
        while at < end and not self.is_done:
            if self._state == _DATA:
                take = min(self._left, end - at)
                pieces.append(data[at : at + take])
                at += take
                self._left -= take
                if not self._left:
                    self._state = _DATA_END
                continue
            line_end = data.find(b"\r\n", at, at + MAX_LINE_BYTES + 2 if self._state != _TRAILER else end)
            if line_end < 0:
                self._keep_partial(data[at:])
                break
            self._take_line(data[at:line_end])
            at = line_end + 2
        if self.is_done:
            self.rest = data[at:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _take_line(self, line: bytes) -> None:
        if self._state == _SIZE:
            match = _SIZE_LINE.fullmatch(line)
            if match is None:
                raise ChunkedRefused("a chunk that does not begin with its size in hexadecimal digits")
            self._left = int(match[1], 16)
            self._state = _DATA if self._left else _TRAILER
        elif self._state == _DATA_END:
            if line:
                raise ChunkedRefused("a chunk longer than its size")
            self._state = _SIZE
        else:
            self._trailer_bytes += len(line) + 2
            if not line:
                self.is_done = True
            elif self._trailer_bytes > MAX_TRAILER_BYTES or not _TRAILER_LINE.fullmatch(line):
                raise ChunkedRefused("trailers that are malformed or too large")

    def _keep_partial(self, line: bytes) -> None:
        """A line that has not ended yet: kept, bounded, and refused at once where no ending could make it right."""
        if self._state == _DATA_END and line != b"\r":
            raise ChunkedRefused("a chunk longer than its size")
        if self._state == _SIZE and len(line) > MAX_LINE_BYTES:
            raise ChunkedRefused("a chunk size line that is too long")
        if self._trailer_bytes + len(line) > MAX_TRAILER_BYTES:
            raise ChunkedRefused("trailers that are malformed or too large")
        if b"\n" in line:
            raise ChunkedRefused("a line that ends in LF without CR")
        self._line = line


LAST_CHUNK: Final = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """`data`, not empty, framed as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)
