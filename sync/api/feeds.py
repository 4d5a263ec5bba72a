"""What changed since? One page by long poll; or a feed by SSE or WebSocket that goes on until either side leaves.

    cursor ──> page of changes ──> next cursor ──> ...        an expired one is 410: start again from a list

A feed tells what keys hold, not what was once written: a version that was replaced before it was told is passed over.
Cursors are sealed, and go on in any region. Whoever reads slowly is waited for, and holds one page in memory.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

import msgspec
from aiohttp import WSMsgType, web

from config.core.signing import Signer
from health.core import session_token
from health.core.session_token import SessionToken
from sync.api.messages import Answer, Request, json_answer
from sync.api.paths import ROOT
from sync.api.problems import Problem, of_error
from sync.api.records import Records, limit_of
from sync.core.dots import is_vector
from sync.core.plans import CollectionPlan
from sync.errors import SyncError
from sync.store import Change, Changes, Cursor

PURPOSE: Final = "sync cursor"
MAX_PAGE: Final = 1000
DEFAULT_PAGE: Final = 100
MAX_PAGE_BYTES: Final = 4 << 20
INLINE_BYTES: Final = 64 << 10
"""A larger value is told by its address."""
MAX_WAIT_S: Final = 60.0
HEARTBEAT_S: Final = 15.0
MAX_FEEDS: Final = 10_000
"""Open at once in this process; each holds a task and at most one page."""
_WAIT: Final = re.compile(r"([0-9]{1,6})(ms|s|m)?", re.ASCII)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}
_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(Cursor)


class Feeds:
    """Open feeds of one process."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.open = 0

    async def page(self, request: Request, collection: str) -> Answer:
        """One page; with `wait`, as soon as there is any. Raises Problem and SyncError."""
        plan = self._records.plan(collection)
        query = request.query
        cursor = self._cursor(query.get("since") or request.headers.get("last-event-id"), plan)
        limit = limit_of(query, default=DEFAULT_PAGE, most=MAX_PAGE)
        wait_s = wait_of(query)
        if not wait_s:
            return await self._page(plan, cursor, limit, 0.0)
        with self._opened():
            return await self._page(plan, cursor, limit, wait_s)

    async def follow(self, request: web.BaseRequest, collection: str) -> web.StreamResponse:
        """A feed, until either side leaves. Raises Problem and SyncError before it has begun."""
        plan = self._records.plan(collection)
        cursor = self._cursor(request.query.get("since") or request.headers.get("Last-Event-ID"), plan)
        is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
        with self._opened():
            return await (self._socket if is_socket else self._events)(request, plan, cursor)

    @contextmanager
    def _opened(self) -> Iterator[None]:
        if self.open >= MAX_FEEDS:
            raise Problem(503, "too_many_feeds", f"{MAX_FEEDS} open feeds already", retry_after_s=1)
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    def _cursor(self, text: str | None, plan: CollectionPlan) -> Cursor | None:
        return None if not text else open_cursor(text, plan.name, self._records.signer)

    async def _next(self, plan: CollectionPlan, cursor: Cursor | None, limit: int) -> Changes:
        return await self._records.store.changes(plan.name, cursor, limit=limit, max_bytes=MAX_PAGE_BYTES)

    async def _page(self, plan: CollectionPlan, cursor: Cursor | None, limit: int, wait_s: float) -> Answer:
        store = self._records.store
        page = await self._next(plan, cursor, limit)
        if (
            not page.changes
            and wait_s
            and await store.wait_for_change({plan.name: page.next.position}, timeout_s=wait_s)
        ):
            page = await self._next(plan, page.next, limit)
        token = SessionToken(plan.residency_class, 0, {plan.name: page.next.applied})
        return json_answer(
            {"changes": self._told(plan, page), "next": seal_cursor(page.next, self._records.signer)},
            headers={session_token.HEADER: session_token.seal(token, self._records.signer)},
        )

    async def _events(
        self, request: web.BaseRequest, plan: CollectionPlan, cursor: Cursor | None
    ) -> web.StreamResponse:
        page = await self._next(plan, cursor, DEFAULT_PAGE)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        )
        response.force_close()
        await response.prepare(request)
        await response.write(b": open\n\n")
        while True:
            if page.changes:
                # In one piece: each would else be read, and passed on, by itself on its whole way.
                await response.write(b"".join(map(_event, self._told(plan, page))))
            following = await self._following(plan, page)
            if following is None:
                await response.write(b": still here\n\n")
            elif isinstance(following, Problem):
                await response.write(b"event: problem\ndata: %b\n\n" % msgspec.json.encode(following.document()))
                return response
            else:
                page = following

    async def _socket(
        self, request: web.BaseRequest, plan: CollectionPlan, cursor: Cursor | None
    ) -> web.StreamResponse:
        page = await self._next(plan, cursor, DEFAULT_PAGE)
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=4096)
        await socket.prepare(request)
        while not socket.closed:
            for told in self._told(plan, page):
                await socket.send_str(msgspec.json.encode(told).decode())
            following = await self._following(plan, page, socket)
            if isinstance(following, Problem):
                await socket.send_str(msgspec.json.encode({"problem": following.document()}).decode())
                await socket.close(code=1008, message=following.reason.encode())
            elif following is not None:
                page = following
        return socket

    async def _following(
        self, plan: CollectionPlan, page: Changes, socket: web.WebSocketResponse | None = None
    ) -> Changes | Problem | None:
        """The next page, once there is one; None when nothing came for a while; a Problem ends the feed."""
        store = self._records.store
        try:
            # At once where there is more already; the store need not be read to know that there is not.
            if not await store.wait_for_change({plan.name: page.next.position}, timeout_s=HEARTBEAT_S / 3):
                await _hear(socket)
                return None
            return await self._next(plan, page.next, DEFAULT_PAGE)
        except SyncError as error:
            return of_error(error)

    def _told(self, plan: CollectionPlan, page: Changes) -> list[dict[str, Any]]:
        found = []
        for change in page.changes:
            is_last = change is page.changes[-1]
            cursor = page.next if is_last else Cursor(plan.name, page.next.origin, change.position, page.since)
            found.append({"cursor": seal_cursor(cursor, self._records.signer), **told(plan.name, change)})
        return found


def _event(told: Mapping[str, Any]) -> bytes:
    return b"id: %b\ndata: %b\n\n" % (str(told["cursor"]).encode(), msgspec.json.encode(told))


async def _hear(socket: web.WebSocketResponse | None) -> None:
    """What a client says on a feed is not ours to understand; that it has left is."""
    if socket is None:
        return
    try:
        message = await socket.receive(timeout=0.01)
    except TimeoutError:
        return
    if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
        await socket.close(code=1003, message=b"a feed takes no messages")


def told(collection: str, change: Change) -> dict[str, Any]:
    """One change, as clients see it."""
    operation = change.operation
    found: dict[str, Any] = {
        "key": operation.key,
        "version": change.version,
        "deleted": operation.is_delete,
        "content_type": operation.content_type,
    }
    value = change.value
    if value is None:
        return found
    if len(value) > INLINE_BYTES:
        found["href"] = f"{ROOT}{collection}/{quote(operation.key, safe='/')}"
    elif operation.content_type.partition(";")[0] == "application/json":
        found["value"] = msgspec.Raw(value)
    else:
        found["value_base64"] = base64.b64encode(value).decode()
    return found


def seal_cursor(cursor: Cursor, signer: Signer) -> str:
    return signer.seal(PURPOSE, _encode(cursor))


def open_cursor(text: str, stream: str, signer: Signer) -> Cursor:
    """Raises Problem."""
    payload = signer.open(PURPOSE, text)
    if payload is not None:
        try:
            cursor = _decoder.decode(payload)
        except msgspec.DecodeError:
            cursor = None
        if cursor is not None and cursor.stream == stream and is_vector(cursor.applied):
            return cursor
    raise Problem(400, "bad_cursor", "a cursor that this mesh did not write for this collection")


def wait_of(query: Mapping[str, str]) -> float:
    """Seconds. Raises Problem."""
    text = query.get("wait")
    if text is None:
        return 0.0
    match = _WAIT.fullmatch(text)
    if match is None:
        raise Problem(400, "bad_wait", f"wait {text[:20]!r}, expected a duration such as 30s")
    return min(MAX_WAIT_S, int(match[1]) * _UNITS[match[2]])
