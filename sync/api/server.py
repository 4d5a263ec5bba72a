"""The data API, request by request: which handler a path has, and what is said where one fails.

    answer(request)     everything that has an end
    follow(request)     a feed by SSE or WebSocket, which has none (feeds.py)

Served on a Unix socket (front.py). It trusts who connects: only this node's own processes can open the socket. No
answer is ever without words: every failure is a problem document, and a defect of ours is logged and costs one request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from sync.api import batches, conflicts, openapi
from sync.api.behind_aiohttp import request_of, response_of
from sync.api.feeds import Feeds
from sync.api.messages import Answer, Request, json_answer
from sync.api.paths import Target, target_of
from sync.api.problems import Problem, of_error
from sync.api.records import Records
from sync.core.writes import WriteKind
from sync.errors import SyncError

WRITES: Final[dict[str, WriteKind]] = {"PUT": "put", "PATCH": "patch", "DELETE": "delete"}
ALLOWED: Final = {
    "batch": "POST",
    "openapi": "GET",
    "list": "GET",
    "changes": "GET",
    "conflicts": "GET",
    "record": "GET, HEAD, PUT, PATCH, DELETE",
    "conflict": "GET, POST",
}
BESIDE_VALUE: Final = 64 << 10
"""Bytes of a resolution's body beside its value, which JSON may make twice as long."""


class DataServer:
    """The handlers of one process. `report(event, **facts)` logs a defect."""

    def __init__(self, records: Records, *, report: Callable[..., None]) -> None:
        self._records = records
        self._feeds = Feeds(records)
        self._report = report
        self._trouble = ""

    def wall(self) -> float:
        """Unix time."""
        return self._records.wall()

    @property
    def open_feeds(self) -> int:
        return self._feeds.open

    async def answer(self, request: Request) -> Answer:
        """Any request that is no feed."""
        try:
            answer = await self._data(request)
        except Exception as error:  # noqa: BLE001 - the border: a defect of ours must not close the connection wordless
            return self._refusal(error, request.target).answer(request.id)
        self._trouble = ""
        return answer

    async def follow(self, request: web.BaseRequest) -> web.StreamResponse:
        """A feed; `is_feed` of its request."""
        try:
            collection = target_of(request.raw_path).collection
            return await self._feeds.follow(request, collection)
        except ConnectionError:
            raise  # the client has left; there is nobody to answer
        except Exception as error:  # noqa: BLE001 - the border, as above
            refusal = self._refusal(error, request.raw_path)
            response = response_of(refusal.answer(request.headers.get("X-Request-Id", "")))
            response.force_close()
            return response

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Any request, where aiohttp speaks HTTP."""
        if is_feed(request.method, request.raw_path, request.headers):
            return await self.follow(request)
        asked = await request_of(request, at_most=self.most(request.method, request.raw_path))
        if asked is None:
            return response_of(
                self.too_large(request.method, request.raw_path).answer(request.headers.get("X-Request-Id", ""))
            )
        return response_of(await self.answer(asked))

    def most(self, method: str, target: str) -> int:
        """Bytes that a request's body may have."""
        if method not in {"PUT", "PATCH", "POST"}:
            return BESIDE_VALUE
        path = target.partition("?")[0]
        if method == "POST":
            return batches.MAX_BYTES if path.endswith("/batch") else self._records.max_value * 2 + BESIDE_VALUE
        return self._records.max_value

    def too_large(self, method: str, target: str) -> Problem:
        return Problem(413, "body_too_large", f"a larger body, expected at most {self.most(method, target)} bytes")

    def _refusal(self, error: Exception, target: str) -> Problem:
        if isinstance(error, Problem):
            return error
        path = target.partition("?")[0]
        if isinstance(error, SyncError):
            refusal = of_error(error)
            if refusal.status >= 500 and self._trouble != str(error):
                self._trouble = str(error)  # once, however many requests meet it
                self._report("a data request failed", path=path, because=self._trouble)
            return refusal
        return self.defect(error, target)

    def defect(self, error: Exception, target: str) -> Problem:
        """A mistake of ours: said in the log."""
        self._report("a data request failed by a defect", path=target.partition("?")[0], exc_info=error)
        return Problem(500, "defect", "the node failed to answer; its log says why")

    async def _data(self, request: Request) -> Answer:
        target = target_of(request.target)
        method = "GET" if request.method == "HEAD" else request.method
        if target.kind == "record" and method in WRITES:
            kind = WRITES[method]
            return await self._written(
                request, target, lambda: self._records.write(request, kind, target.collection, target.key)
            )
        if target.kind == "record" and method == "GET":
            return await self._records.get(request, target.collection, target.key)
        if target.kind == "batch" and method == "POST":
            return await batches.batch(self._records, request)
        if target.kind == "conflict" and method == "POST":
            return await self._written(
                request, target, lambda: conflicts.resolve(self._records, request, target.collection, target.key)
            )
        if method == "GET" and target.kind != "batch":
            return await self._read(request, target)
        allowed = ALLOWED[target.kind]
        raise Problem(405, "method_not_allowed", f"found {method[:20]}, expected {allowed}", allow=allowed)

    async def _written(self, request: Request, target: Target, handle: Callable[[], Awaitable[Answer]]) -> Answer:
        """Here, unless another region takes the collection's writes."""
        plan = self._records.plan(target.collection)
        if plan.primary is None:
            return await handle()
        if self._records.primary is None:
            raise Problem(503, "no_primary", "this node cannot tell who takes writes to this collection")
        return await self._records.primary.write(plan, request, handle)

    async def _read(self, request: Request, target: Target) -> Answer:
        if target.kind == "list":
            return await self._records.list_keys(request, target.collection)
        if target.kind == "changes":
            return await self._feeds.page(request, target.collection)
        if target.kind == "conflicts":
            return await conflicts.list_conflicts(self._records, request, target.collection)
        if target.kind == "conflict":
            return await conflicts.get_conflict(self._records, request, target.collection, target.key)
        return json_answer(openapi.document(self._records.plans))


def is_feed(method: str, target: str, headers: Mapping[str, str]) -> bool:
    """Whether a request asks for what has no end. Names of `headers` are found by their lower case."""
    if method != "GET":
        return False
    if headers.get("upgrade", "").lower() != "websocket" and "text/event-stream" not in headers.get("accept", ""):
        return False
    try:
        return target_of(target).kind == "changes"
    except Problem:
        return False
