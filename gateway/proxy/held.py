"""A request whose admission, or whose data, waits for something: what it is, and what it waits for.

    Held ── found ──> `on_held_over`: it goes ahead by what was decided, it is refused, or decided anew
      └─── cancelled: the client has left, and its end is recorded here

Where a request may have to wait for a region to catch up (gateway/core/steering.py), it is decided again whenever
more is known of the data: `until_caught_up`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from gateway.core import reasons
from gateway.core.decision import Refusal, decide
from gateway.core.head import RequestHead
from gateway.core.problems import Answer
from gateway.core.snapshot import Forward, RoutingSnapshot
from gateway.proxy.peer import Peer
from gateway.proxy.ports import Runtime
from gateway.proxy.recording import record_here


class Holder(Protocol):
    """The client's connection."""

    listener: str
    peer: Peer

    def on_held_over(self, held: Held) -> None:
        """It waits no longer: what it says is decided."""


class Held:
    """One request's wait."""

    __slots__ = ("_holder", "_runtime", "_task", "decided", "head", "request_id", "snapshot", "started_at")

    def __init__(
        self,
        runtime: Runtime,
        holder: Holder,
        head: RequestHead,
        snapshot: RoutingSnapshot,
        decided: Forward | Refusal,
        *,
        request_id: bytes,
        started_at: float,
    ) -> None:
        self._runtime = runtime
        self._holder = holder
        self._task: asyncio.Task[None] | None = None
        self.head = head
        self.snapshot = snapshot
        """That it is decided by."""
        self.decided = decided
        self.request_id = request_id
        self.started_at = started_at

    def begin(self, waiting: Coroutine[Any, Any, Answer | Forward | Refusal | None], name: str) -> None:
        """`waiting` finds a refusal, or decides anew; None leaves it at what is decided. `name` is the task's."""
        self._task = self._runtime.spawn(self._wait(waiting), name)

    def cancel(self) -> None:
        """The client has left."""
        if self._task is not None:
            self._task.cancel()

    async def _wait(self, waiting: Coroutine[Any, Any, Answer | Forward | Refusal | None]) -> None:
        try:
            found = await waiting
        except asyncio.CancelledError:
            self._record_leaving()
            raise
        if isinstance(found, Answer):
            self.decided = Refusal(self.decided.route, found)
        elif found is not None:
            self.snapshot, self.decided = self._runtime.snapshot or self.snapshot, found
        self._holder.on_held_over(self)

    def _record_leaving(self) -> None:
        holder, route = self._holder, self.decided.route
        record_here(
            self._runtime,
            Answer(0, reasons.CLIENT_LEFT, "the client closed its connection", ""),
            listener=holder.listener,
            peer=holder.peer,
            request_id=self.request_id,
            started_at=self.started_at,
            head=self.head,
            route=route.id if route else "",
        )


async def until_caught_up(
    runtime: Runtime, head: RequestHead, refusal: Refusal, *, listener: str, peer: Peer
) -> Forward | Refusal:
    """Decide again whenever more is known of the data, until a region has caught up or the time is over."""
    until = runtime.now() + refusal.wait_s
    decided: Forward | Refusal = refusal
    while isinstance(decided, Refusal) and decided.wait_s:
        left_s = until - runtime.now()
        if left_s <= 0 or runtime.snapshot is None:
            return Refusal(decided.route, decided.answer)
        await runtime.data_moves(within_s=left_s)
        decided = decide(runtime.snapshot, head, listener, peer.country, peer.client_ip)
    return decided
