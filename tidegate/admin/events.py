"""`GET /v1/events`: what changes on this node, as server-sent events (WHATWG HTML, section 9.2).

    event: state      all of it, once, at the beginning: nobody has to ask for what came before
    event: region     its health as reached from here       event: service, endpoint    theirs
    event: drain      how far a drain is                    event: decision             a line of the journal
    event: leader     who leads the nodes, which region leads

One look a second, and at once when something is decided. A reader that does not read is hung up on, and comes back to
a whole `state`; so nothing is queued for anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from tidegate.admin import operating
from tidegate.admin.answers import problem

if TYPE_CHECKING:
    from tidegate.node.control import Control

EVERY_S = 1.0
MAX_READERS = 64
"""Dashboards and `curl`s; each costs a look a second."""
SILENCE_S = 15.0
"""A comment after so long, so that proxies and readers know that the line stands."""
READ_WITHIN_S = 5.0
KINDS = ("region", "service", "endpoint", "drain", "leader")


class Events:
    """The readers of one admin API."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._readers = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self._readers >= MAX_READERS:
            return problem(503, "too_many_readers", f"found {MAX_READERS} readers of events, expected fewer")
        self._readers += 1
        try:
            return await self._serve(request)
        finally:
            self._readers -= 1

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        journal, loop = self._control.journal, asyncio.get_running_loop()
        before, revision = view(self._control), journal.revision
        known = {one.id: one.outcome for one in journal.decisions(limit=100)}
        spoken_at = loop.time()
        with contextlib.suppress(TimeoutError, ConnectionError):
            await _send(response, _written("state", before))
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(EVERY_S):
                        revision = await journal.changed(revision)
                after = view(self._control)
                news = [_written(kind, data) for kind, data in changes(before, after)]
                for one in reversed(operating.decisions(self._control, limit=100)["decisions"]):
                    if known.get(one["id"]) != one["outcome"]:
                        news.append(_written("decision", one))
                known = {one.id: one.outcome for one in journal.decisions(limit=100)}
                before = after
                if news or loop.time() - spoken_at >= SILENCE_S:
                    await _send(response, b"".join(news) or b": still here\n\n")
                    spoken_at = loop.time()
        return response


def view(control: Control) -> dict[str, dict[str, Any]]:
    """What is looked at, by kind and name."""
    return {
        "region": {
            name: {"region": name, "health": one.health, "reason": one.reason}
            for name, one in control.prober.regions().items()
        },
        "service": {
            name: {"service": name, "health": one.health, "reason": one.reason}
            for name, one in control.prober.services().items()
        },
        "endpoint": {
            name: {"endpoint": name, "health": one.health, "reason": one.reason}
            for name, one in control.prober.endpoints().items()
        },
        "drain": {one["target"]: one for one in operating.drained(control)},
        "leader": {
            "": {
                "node": control.leadership.leader,
                "region": control.failing_over.primary(),
                "asks": control.failing_over.asked,
            }
        },
    }


def changes(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is new, other, or gone."""
    for kind in KINDS:
        for name, value in after[kind].items():
            if before[kind].get(name) != value:
                yield kind, value
        for name in before[kind].keys() - after[kind].keys():
            yield kind, {kind if kind != "drain" else "target": name, "gone": True}


def _written(kind: str, data: object) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"


async def _send(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(READ_WITHIN_S):
        await response.write(data)
