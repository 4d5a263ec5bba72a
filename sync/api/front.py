"""HTTP/1.1 on the data API's Unix socket, for the node's own workers: lean, since every request of clients passes here.

    bytes ──llhttp──> Request, whole, within its limit ──> DataServer.answer ──> bytes, in the order asked
                 └──> a feed: the connection becomes aiohttp's, which speaks SSE and WebSocket, and ends with it

A worker has checked what clients sent and sends one request at a time; what is malformed all the same, or too large,
is answered and the connection closed. While a request is in progress nothing more is read than what has come with it.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final, cast

import httptools
from aiohttp import web

from sync.api.messages import Answer, Request
from sync.api.problems import Problem
from sync.api.server import DataServer, is_feed

MAX_HEAD: Final = 64 << 10
"""Bytes. A gateway lets less in."""
MAX_WAITING: Final = 16
"""Requests of one connection that were read and not yet answered; above it, reading pauses."""
LINGER_S: Final = 5.0
"""After a last answer, what was still on its way is read and dropped: a reset could overtake the answer."""
BACKLOG: Final = 1024
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_WITHOUT_LENGTH: Final = frozenset({204, 304})


@lru_cache(1024)
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()


class Front:
    """The listening side of one data server."""

    def __init__(self, server: DataServer) -> None:
        self.server = server
        self.feeds = web.Server(server.follow, access_log=None, keepalive_timeout=0.0)
        self.connections: set[Connection] = set()
        self._listening: asyncio.Server | None = None
        self._date = (0, "")

    async def start(self, listener: socket.socket) -> None:
        """Serve on a listening Unix socket until `close`."""
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_unix_server(lambda: Connection(self), sock=listener, backlog=BACKLOG)

    async def close(self, *, grace_s: float) -> None:
        """Let nobody in any more; who waits for an answer gets it, within the grace."""
        if self._listening is not None:
            self._listening.close()
        busy = [task for connection in tuple(self.connections) if (task := connection.end()) is not None]
        if busy:
            await asyncio.wait(busy, timeout=grace_s)
        for connection in tuple(self.connections):
            connection.abort()
        await self.feeds.shutdown(min(grace_s, 0.1))  # a feed never ends by itself

    def date(self) -> str:
        """Now, as HTTP writes it."""
        now = int(self.server.wall())
        if now != self._date[0]:
            self._date = (now, formatdate(now, usegmt=True))
        return self._date[1]


class Connection(asyncio.Protocol):
    """One connection of a worker."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._parser = httptools.HttpRequestParser(self)
        self._head: list[bytes] = []
        """What has come of a head that is not complete; aiohttp reads it again if it asks for a feed."""
        self._is_in_head = True
        self._is_feed = False
        self._is_last = False
        """Nothing is read any more."""
        self._method = self._target = ""
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._room = 0
        """Bytes that the body may still have."""
        self._waiting: deque[Request | Problem] = deque()
        self._task: asyncio.Task[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._front.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._front.connections.discard(self)
        if self._task is not None:  # a half-closed connection counts as lost, for a worker closes both ways
            self._task.cancel()  # nobody waits for it; what the store has begun it finishes all the same

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        if self._is_last:
            return
        if self._is_in_head:
            self._head.append(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # A feed by WebSocket. Any other is answered as if it were not asked for; what follows is not read as HTTP.
            self._is_last = self._is_last or not self._is_feed
        except httptools.HttpParserError as error:
            if not self._is_last:  # else it was refused already, for its size
                self._refuse(Problem(400, "malformed_request", f"no HTTP/1.1: {error}"))
        if self._is_feed:
            self._hand_over()
        elif self._is_in_head and sum(map(len, self._head)) > MAX_HEAD:
            self._refuse(Problem(431, "head_too_large", f"a larger head, expected at most {MAX_HEAD} bytes"))

    # httptools

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", {}, []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        word, text = _lower(name), value.decode("utf-8", "surrogateescape")
        known = self._headers.get(word)
        self._headers[word] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        self._method = self._parser.get_method().decode("latin-1")
        self._target = self._url.decode("utf-8", "surrogateescape")
        if is_feed(self._method, self._target, self._headers):
            self._is_feed = True
            return
        self._is_in_head, self._head = False, []
        self._room = self._front.server.most(self._method, self._target)
        announced = self._headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._room:
            self._refuse(self._front.server.too_large(self._method, self._target))
        elif self._headers.get("expect", "").lower() == "100-continue":
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        self._room -= len(body)
        if self._room >= 0:
            self._body.append(body)
        elif not self._is_last:
            self._refuse(self._front.server.too_large(self._method, self._target))

    def on_message_complete(self) -> None:
        if self._is_feed or self._is_last:
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body, self._is_in_head = [], True
        self._is_last = not self._parser.should_keep_alive()
        self._take(Request(self._method, self._target, self._headers, body))

    # What comes of it

    def _refuse(self, problem: Problem) -> None:
        self._is_last, self._body = True, []
        self._take(problem)

    def _take(self, asked: Request | Problem) -> None:
        self._waiting.append(asked)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())
        elif len(self._waiting) > MAX_WAITING:
            self._transport.pause_reading()

    async def _work(self) -> None:
        while self._waiting:
            asked = self._waiting.popleft()
            if isinstance(asked, Problem):
                answer, is_head = asked.answer(), False
            else:
                answer, is_head = await self._front.server.answer(asked), asked.method == "HEAD"
            if not self._may_write.is_set():
                await self._may_write.wait()
            self._write(answer, is_head=is_head)
        self._task = None
        if self._is_last:
            self._linger()
        elif len(self._waiting) <= MAX_WAITING:
            self._transport.resume_reading()

    def _write(self, answer: Answer, *, is_head: bool) -> None:
        is_last = self._is_last and not self._waiting
        date = self._front.date()
        try:
            data = encoded(answer, date=date, is_head=is_head, is_last=is_last)
        except (ValueError, KeyError) as error:
            refusal = self._front.server.defect(error, self._target).answer()
            data = encoded(refusal, date=date, is_head=is_head, is_last=is_last)
        self._transport.write(data)

    def _linger(self) -> None:
        if not self._transport.is_closing():
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(LINGER_S, self._transport.abort)

    def _hand_over(self) -> None:
        """The connection becomes aiohttp's, with the head read again. Only where it is the one thing asked for."""
        if self._task is not None or not self._head:
            self._is_feed = False
            self._refuse(Problem(400, "malformed_request", "a feed behind another request, expected it alone"))
            return
        self._front.connections.discard(self)
        handler = self._front.feeds()
        self._transport.set_protocol(handler)
        handler.connection_made(self._transport)
        handler.data_received(b"".join(self._head))

    def end(self) -> asyncio.Task[None] | None:
        """Read no more; the task that still answers, if there is one."""
        self._is_last = True
        if self._task is None:
            self._transport.close()
        return self._task

    def abort(self) -> None:
        self._transport.abort()


def encoded(answer: Answer, *, date: str, is_head: bool, is_last: bool) -> bytes:
    """An answer's bytes. Raises ValueError where a header would end its line."""
    fields = [f"{name}: {value}\r\n" for name, value in answer.headers.items()]
    if answer.status not in _WITHOUT_LENGTH:
        fields.append(f"Content-Length: {len(answer.body)}\r\n")
    if is_last:
        fields.append("Connection: close\r\n")
    block = "".join(fields)
    if block.count("\n") != len(fields) or block.count("\r") != len(fields) or "\0" in block:
        raise ValueError("a header that would end its line")
    head = f"{_LINES[answer.status]}{block}Date: {date}\r\n\r\n".encode("utf-8", "surrogateescape")
    return head if is_head or answer.status in _WITHOUT_LENGTH else head + answer.body
