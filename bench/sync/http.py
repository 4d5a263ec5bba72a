"""HTTP/1.1 as a load needs it: one kept connection, one request at a time, hardly a cost of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from bench.sync.client import Refused

LIMIT_BYTES = 64 << 20


class Connection:
    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=LIMIT_BYTES)

    async def ask(self, method: str, path: str, body: bytes = b"", fields: str = "") -> tuple[int, bytes]:
        """Status and body."""
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        head = await self._head(f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{kind}{fields}\r\n".encode() + body)
        status, length = int(head[9:12]), _length(head)
        if length is not None:
            return status, await self._stream.readexactly(length) if method != "HEAD" else b""
        return status, b"".join([part async for part in self._chunks()])

    async def lines(self, path: str, fields: str = "") -> AsyncIterator[bytes]:
        """Of an answer that goes on: each line as it comes."""
        head = await self._head(f"GET {path} HTTP/1.1\r\nHost: bench\r\n{fields}\r\n".encode())
        if head[9:12] != b"200" or _length(head) is not None:
            raise Refused(f"found {head[:200]!r}, expected a feed")
        left = b""
        async for part in self._chunks():
            *whole, left = (left + part).split(b"\n")
            for line in whole:
                yield line

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    @property
    def _stream(self) -> asyncio.StreamReader:
        assert self._reader is not None, "open first"  # noqa: S101
        return self._reader

    async def _head(self, request: bytes) -> bytes:
        if self._writer is None or self._writer.is_closing() or self._stream.at_eof():
            await self.open()  # a server may end a connection that was idle for long
        assert self._writer is not None  # noqa: S101
        self._writer.write(request)
        return await self._stream.readuntil(b"\r\n\r\n")

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self._stream.readuntil(b"\r\n"), 16):
            yield (await self._stream.readexactly(size + 2))[:-2]
        await self._stream.readuntil(b"\r\n")


def _length(head: bytes) -> int | None:
    """None: the body comes in chunks."""
    low = head.lower()
    at = low.find(b"content-length:")
    if at < 0:
        return None if b"transfer-encoding:" in low else 0
    return int(low[at + 15 : low.index(b"\r", at)])
