"""What the connections of a data plane share: one clock, wheel, pool, book and random source, and where to report."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from gateway.core.book import EndpointBook
from gateway.core.durations import Durations
from gateway.core.retries import RetryBudget
from gateway.core.snapshot import RoutingSnapshot
from gateway.core.timer_wheel import TimerWheel
from gateway.proxy.outcome import Outcome
from gateway.proxy.pool import Pool
from gateway.proxy.roles import Client


class Runtime(Protocol):
    """The data plane as its connections see it (gateway/dataplane.py)."""

    node_id: str
    snapshot: RoutingSnapshot | None
    """In force now; an exchange takes it once and keeps it."""
    is_draining: bool
    logs_access: bool
    """Whether ended requests are to be logged, and their outcomes thus needed."""
    workers: int
    """How many data planes share this node's caps."""
    loop: asyncio.AbstractEventLoop
    wheel: TimerWheel
    pool: Pool
    book: EndpointBook
    rng: random.Random
    now: Callable[[], float]
    """Monotonic seconds."""
    handshakes: int
    """TLS handshakes under way with clients."""

    def budget(self, service: str) -> RetryBudget: ...
    def durations(self, service: str) -> Durations: ...
    def next_request_id(self) -> bytes: ...
    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None: ...
    def add_client(self, client: Client) -> None: ...
    def remove_client(self, client: Client) -> None: ...
    def count(self, route: str, region: str, status: int, reason: str, started_at: float) -> None: ...
    def log(self, outcome: Outcome) -> None: ...
    def record(self, outcome: Outcome) -> None:
        """Count it, and log it where that is wanted."""

    def trial_passed(self, endpoint_id: str) -> None: ...
    def handshake_ended(self) -> None: ...
