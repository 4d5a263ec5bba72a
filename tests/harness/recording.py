"""An endpoint that keeps every byte it is sent, and a client that sends any bytes in any pieces.

The endpoint answers each whole request, as a strict reader sees it, with its own number; what is not a whole request
stays unanswered and is there to be looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.harness.strict_http import Message, Unclear, Unfinished, read_request

DEADLINE_S = 10.0
Answering = Callable[[Message], bytes]
"""The bytes to send for a request; `Last` and `Cut` also end the connection."""


class Last(bytes):
    """Sent, then the connection is closed."""


class Cut(bytes):
    """Sent, then the connection is reset."""


def ok(request: Message) -> bytes:
    """A plain answer, without a body where the request wants none."""
    body = b"" if request.method == b"HEAD" else b"ok"
    return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body


@dataclass
class RecordingEndpoint:
    """async with RecordingEndpoint() as endpoint: ... endpoint.received"""

    answering: Answering = ok
    port: int = 0
    streams: list[bytearray] = field(default_factory=list)
    """What each connection brought."""
    requests: list[Message] = field(default_factory=list)
    by_connection: list[list[Message]] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    """Why a connection was given up."""
    sends_single_bytes: bool = False

    @property
    def received(self) -> bytes:
        """All that ever arrived."""
        return b"".join(bytes(stream) for stream in self.streams)

    def forget(self) -> None:
        """Start a new page; connections that are open go on."""
        for stream in self.streams:
            stream.clear()
        self.requests.clear()
        self.unclear.clear()
        for requests in self.by_connection:
            requests.clear()

    async def __aenter__(self) -> RecordingEndpoint:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = bytearray()
        self.streams.append(stream)
        requests: list[Message] = []
        self.by_connection.append(requests)
        pending = b""
        try:
            while data := await reader.read(65536):
                stream += data
                pending += data
                with contextlib.suppress(Unfinished):
                    while pending:
                        request, pending = read_request(pending)
                        self.requests.append(request)
                        requests.append(request)
                        answer = self.answering(request)
                        await self._send(writer, answer)
                        if isinstance(answer, Last | Cut):
                            return
        except Unclear as error:
            self.unclear.append(str(error))
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        for piece in single_bytes(answer) if self.sends_single_bytes else [answer]:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if isinstance(answer, Cut):
            await asyncio.sleep(0.01)  # what was sent must have been read, or the reset takes it away
            sock: socket.socket = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            writer.transport.abort()


def pieces_of(data: bytes, *cuts: int) -> list[bytes]:
    """`data`, cut at these places."""
    edges = [0, *cuts, len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def single_bytes(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def _half_close(writer: asyncio.StreamWriter) -> None:
    if not writer.is_closing():
        writer.write_eof()


async def converse(
    port: int, pieces: Iterable[bytes], *, within_s: float = DEADLINE_S, half_close_after_s: float | None = None
) -> tuple[bytes, bool]:
    """Send the pieces as segments of their own; all that came back, and whether the other side closed in time.

    A side that waits for more bytes than there are can be told that there are none: `half_close_after_s`.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = bytearray()
    closed = False
    try:
        async with asyncio.timeout(within_s):
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)  # a turn of the loop: the other side reads this piece alone
            if half_close_after_s is not None:
                asyncio.get_running_loop().call_later(half_close_after_s, _half_close, writer)
            try:
                while data := await reader.read(65536):
                    received += data
            except ConnectionError:
                pass
            closed = True
    except TimeoutError:
        pass
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return bytes(received), closed
