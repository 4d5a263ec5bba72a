"""What the connections of a data plane share: one clock, wheel, pool, book and random source, and where to report."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from gateway.admission.door import Door
from gateway.clients import Clients
from gateway.core.audit import Record
from gateway.core.book import EndpointBook
from gateway.core.buffering import BufferLedger
from gateway.core.debugging import DebugLedger
from gateway.core.mirroring import MirrorLedger
from gateway.core.sessions import SessionTally
from gateway.core.snapshot import RoutingSnapshot
from gateway.core.timer_wheel import TimerWheel
from gateway.proxy.hopping import Hops
from gateway.proxy.lane import Lane
from gateway.proxy.late import LateWrites
from gateway.proxy.off_loop import OffLoop
from gateway.proxy.outcome import Outcome
from gateway.proxy.pool import Pool
from gateway.proxy.tracing import Tracer


class Runtime(Protocol):
    """The data plane as its connections see it (gateway/dataplane.py)."""

    node_id: str
    snapshot: RoutingSnapshot | None
    """In force now; an exchange takes it once and keeps it."""
    is_draining: bool
    log: Callable[[Outcome], None]
    logs_access: bool
    """Whether ended requests are to be logged, and their outcomes thus needed."""
    tracer: Tracer | None
    """Decides which requests are recorded; None where none is."""
    workers: int
    """How many data planes share this node's caps."""
    loop: asyncio.AbstractEventLoop
    wheel: TimerWheel
    late: LateWrites
    """Who has something to write when this turn of the loop is over."""
    pool: Pool
    book: EndpointBook
    rng: random.Random
    now: Callable[[], float]
    """Monotonic seconds."""
    wall: Callable[[], float]
    """Unix time, in seconds."""
    steady_wall: Callable[[], float]
    """The same, without jumps: for the age of what clients bring back (gateway/core/steady_wall.py)."""
    sessions: SessionTally
    """Which clients stick to which endpoints."""
    door: Door
    """Who may come in."""
    off_loop: OffLoop
    """Who works on large bodies."""
    buffers: BufferLedger
    """Bodies that are received whole before anybody gets them."""
    debug: DebugLedger
    """Requests that operators want explained."""
    hops: Hops
    """What is said between gateways."""
    mirrors: MirrorLedger
    """Copies of requests that are under way."""
    clients: Clients
    """Connections that are open."""

    def lane(self, service: str) -> Lane: ...
    def next_request_id(self) -> bytes: ...
    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]: ...
    def count(self, route: str, region: str, status: int, reason: str, started_at: float) -> None: ...
    def audit(self, record: Record) -> None:
        """Keep it, whatever becomes of this process."""

    def record(self, outcome: Outcome) -> None:
        """Count it, and log it where that is wanted."""

    async def data_moves(self, *, within_s: float) -> None:
        """Until something is told of the data (gateway/core/replicas.py), or time is up."""

    def trial_passed(self, endpoint_id: str) -> None: ...
