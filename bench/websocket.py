"""WebSocket messages: an echo backend, and clients that send the next message when the last has come back.

    python -m bench.websocket serve --port 9000
    python -m bench.websocket load --port 8080 --connections 32 --seconds 5

Frames are small, masked by the client and written out once, so that the two cost little beside the proxy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import cast

import uvloop

UPGRADED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
"""The answer to the one key that our client sends (the example of RFC 6455 section 1.3)."""
PAYLOAD = b"tidegate" * 8
FROM_SERVER = bytes((0x82, len(PAYLOAD))) + PAYLOAD
FROM_CLIENT = bytes((0x82, 0x80 | len(PAYLOAD), 0, 0, 0, 0)) + PAYLOAD
"""Masked with zeros: still a masked frame, and cheap to check."""


class Echo(asyncio.Protocol):
    """Answers each whole frame of our client."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._buffer = b""
        self._is_open = False

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        if not self._is_open:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._buffer = head
                return
            fields = head.lower()
            if b"upgrade: websocket" not in fields:
                self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")  # whoever asks if we are there
                return
            if b"x-forwarded-for:" not in fields:
                self._transport.write(b"HTTP/1.1 500 Not Forwarded\r\nContent-Length: 0\r\n\r\n")
                return
            self._is_open = True
            self._transport.write(UPGRADED)
        whole, rest = divmod(len(data), len(FROM_CLIENT))
        self._buffer = data[len(data) - rest :] if rest else b""
        if whole:
            self._transport.write(FROM_SERVER * whole)


class Talker(asyncio.Protocol):
    """One client: a message out for each that came in."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.messages = 0
        self.is_lost = False
        self.opened = asyncio.get_running_loop().create_future()
        self._got = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(
            b"GET /socket HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % self._port
        )

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed before the handshake was over"))

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            if not data.startswith(b"HTTP/1.1 101"):
                self.opened.set_exception(ConnectionError(f"refused: {data[:100]!r}"))
                return
            self.opened.set_result(None)
            self._transport.write(FROM_CLIENT)
            return
        self._got += len(data)
        while self._got >= len(FROM_SERVER):
            self._got -= len(FROM_SERVER)
            self.messages += 1
            self._transport.write(FROM_CLIENT)

    def close(self) -> None:
        self._transport.abort()


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


async def load(port: int, connections: int, seconds: float) -> int:
    """Messages that went there and back. Raises ConnectionError when a tunnel was refused or lost."""
    loop = asyncio.get_running_loop()
    talkers = [(await loop.create_connection(lambda: Talker(port), "127.0.0.1", port))[1] for _ in range(connections)]
    await asyncio.gather(*(talker.opened for talker in talkers))
    await asyncio.sleep(seconds)
    if any(talker.is_lost for talker in talkers):
        raise ConnectionError("a tunnel was lost during the run")
    messages = sum(talker.messages for talker in talkers)
    for talker in talkers:
        talker.close()
    return messages


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("serve", "load"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    if given.what == "serve":
        uvloop.run(serve(given.port))
    else:
        print(json.dumps({"messages": uvloop.run(load(given.port, given.connections, given.seconds))}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
