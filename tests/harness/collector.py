"""An OpenTelemetry collector's HTTP side: takes spans, keeps them, and can be slow, choosy or dead."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gateway.proxy.tracing import Span


@dataclass(frozen=True)
class Told:
    """One span, as it was told."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    flags: int
    started_ns: int
    ended_ns: int
    attributes: dict[str, str | int]
    status: dict[str, Any]
    resource: dict[str, str | int]


def decoded(document: dict[str, Any]) -> list[Told]:
    """The spans of an ExportTraceServiceRequest in JSON; fails where it is not in its shape."""
    found = []
    for of in document["resourceSpans"]:
        resource = _attributes(of["resource"]["attributes"])
        for scoped in of["scopeSpans"]:
            assert scoped["scope"]["name"] == "tidegate"
            for span in scoped["spans"]:
                assert isinstance(span["startTimeUnixNano"], str), "64 bits are text in JSON"
                found.append(
                    Told(
                        name=span["name"],
                        kind=span["kind"],
                        trace_id=span["traceId"],
                        span_id=span["spanId"],
                        parent_id=span.get("parentSpanId", ""),
                        state=span.get("traceState", ""),
                        flags=span["flags"],
                        started_ns=int(span["startTimeUnixNano"]),
                        ended_ns=int(span["endTimeUnixNano"]),
                        attributes=_attributes(span["attributes"]),
                        status=span["status"],
                        resource=resource,
                    )
                )
    return found


def _attributes(listed: list[dict[str, Any]]) -> dict[str, str | int]:
    return {
        one["key"]: int(one["value"]["intValue"]) if "intValue" in one["value"] else one["value"]["stringValue"]
        for one in listed
    }


@dataclass
class Collector:
    """async with Collector() as collector: ... collector.url, collector.spans"""

    statuses: list[int] = field(default_factory=list)
    """For the next requests, one each; 200 after that."""
    fields: dict[str, str] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    is_hanging: bool = False
    """It takes requests and never answers."""
    spans: list[Told] = field(default_factory=list)
    requests: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody has sent something."""
    paths: set[str] = field(default_factory=set)

    async def __aenter__(self) -> Collector:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self._ended = asyncio.Event()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._ended.set()
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.requests += 1
        self.paths.add(request.path)
        body = await request.read()
        self.asked.set()
        if self.is_hanging:
            await self._ended.wait()
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            assert request.method == "POST"
            assert request.content_type == "application/json"
            self.spans += decoded(json.loads(body))
        return web.json_response(self.answer, status=status, headers=self.fields)


def some_span(name: str = "GET /*", **changes: Any) -> Span:
    """A span of no request in particular."""
    settings: dict[str, Any] = {
        "name": name,
        "kind": "server",
        "trace_id": 0xA1,
        "span_id": 0xB2,
        "parent_id": None,
        "is_parent_remote": False,
        "state": b"",
        "started_ns": 1_700_000_000_000_000_001,
        "ended_ns": 1_700_000_000_250_000_001,
        "attributes": {"url.path": "/a", "http.response.status_code": 200},
        "fault": None,
    }
    return Span(**{**settings, **changes})


class KeptSpans:
    """In place of a way to a collector: what it would have got."""

    def __init__(self) -> None:
        self.all: list[Span] = []

    def adopt(self, config: object) -> None:
        """They go nowhere."""

    def add(self, spans: list[Span]) -> None:
        self.all += spans

    def take_dropped(self) -> int:
        return 0

    async def close(self) -> None:
        """Nothing is left."""
