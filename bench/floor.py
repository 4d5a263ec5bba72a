"""A bare proxy: what does a request cost in Python before any of the product's own work?

    python bench/floor.py PORT HOST:PORT

Heads are parsed by httptools and written out again with `X-Forwarded-For`; bodies of known length are passed on as they
come; connections to the one backend are kept. No routes, no health, no limits, no time-outs, no counters, no defence
against anything: never to be used, only to be compared with.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import cast

import httptools
import uvloop

HIGH_WATER = 256 * 1024


class Client(asyncio.Protocol):
    """One client's connection; one request at a time, the next waits in `_later`."""

    def __init__(self, backend: tuple[str, int], idle: list[Upstream]) -> None:
        self._backend = backend
        self._idle = idle
        self._later = b""
        self._upstream: Upstream | None = None
        self._is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)
        self._address = transport.get_extra_info("peername")[0].encode()
        self._parser = httptools.HttpRequestParser(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self._upstream is not None:
            self._upstream.transport.abort()

    def pause_writing(self) -> None:
        if self._upstream is not None:
            self._upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        if self._upstream is not None:
            self._upstream.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._is_busy:
            self._later += data
        else:
            self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._lines: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() != b"connection":
            self._lines.append(b"%b: %b\r\n" % (name, value))

    def on_headers_complete(self) -> None:
        self._is_busy = True
        line = b"%b %b HTTP/1.1\r\n" % (self._parser.get_method(), self._url)
        head = line + b"".join(self._lines) + b"X-Forwarded-For: " + self._address + b"\r\n\r\n"
        if self._idle:
            self._send(self._idle.pop(), head)
        else:
            loop = asyncio.get_running_loop()
            self._connecting = loop.create_task(self._connect(head))

    async def _connect(self, head: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, upstream = await loop.create_connection(lambda: Upstream(self._idle), *self._backend)
        self._send(upstream, head)

    def _send(self, upstream: Upstream, head: bytes) -> None:
        self._upstream = upstream
        upstream.client = self
        upstream.transport.write(head)

    def answered(self) -> None:
        self._upstream = None
        self._is_busy = False
        if self._later:
            later, self._later = self._later, b""
            self._parser.feed_data(later)


class Upstream(asyncio.Protocol):
    """One connection to the backend; idle ones wait in a list."""

    def __init__(self, idle: list[Upstream]) -> None:
        self._idle = idle
        self.client: Client | None = None
        self._left = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._idle:
            self._idle.remove(self)
        if self.client is not None:
            self.client.transport.abort()

    def on_message_begin(self) -> None:
        self._lines: list[bytes] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-length":
            self._left = int(value)
        if name.lower() != b"connection":
            self._lines.append(b"%b: %b\r\n" % (name, value))

    def data_received(self, data: bytes) -> None:
        client = self.client
        if client is None:
            return
        if self._left < 0:
            end = data.index(b"\r\n\r\n") + 4  # a backend of ours sends its head in one piece
            parser = httptools.HttpResponseParser(self)
            parser.feed_data(data[:end])
            head = b"HTTP/1.1 %d OK\r\n" % parser.get_status_code() + b"".join(self._lines) + b"\r\n"
            self._left -= len(data) - end
            client.transport.write(head + data[end:])
        else:
            self._left -= len(data)
            client.transport.write(data)
        if self._left == 0:
            self._left = -1
            self.client = None
            self._idle.append(self)
            client.answered()


async def serve(port: int, backend: tuple[str, int]) -> None:
    idle: list[Upstream] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Client(backend, idle), "127.0.0.1", port, backlog=4096)
    gc.collect()
    gc.freeze()
    await server.serve_forever()


if __name__ == "__main__":
    host, _, number = sys.argv[2].rpartition(":")
    uvloop.run(serve(int(sys.argv[1]), (host, int(number))))
