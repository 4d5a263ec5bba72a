"""May this request be copied to another service too, and what became of the copies?

    picked by chance ──> room for one more? ──> an endpoint of the other service, in a region that may hold the data
                             │                        └─ none: no copy
                             └─ too many under way, or the node is shedding: no copy

A copy never costs the original anything: what it needs is bounded here, and where a bound is reached it is the copy
that goes. `explain` asks the same function for the endpoint.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Final, Protocol

from gateway.core import reasons
from gateway.core.book import EndpointBook
from gateway.core.decision import next_endpoint
from gateway.core.gate import Endpoint
from gateway.core.plans import RoutePlan
from gateway.core.snapshot import RoutingSnapshot

MAX_COPIES: Final = 512
"""Under way at once on a node; divided among its data planes."""
MAX_HELD_BYTES: Final = 64 << 20
"""Of bodies that wait for services slower than the originals', in one data plane."""
MAX_HELD_BY_ONE: Final = 8 << 20
"""Of one copy: a body that was held whole, or a burst; who is slower than that for longer gets no copy."""
MAX_ANSWER_BYTES: Final = 64 << 20
"""Of a copy's answer that is read; then its connection is closed."""
MAX_DURATION_S: Final = 60.0
"""A copy that is still being answered then is let go: an endless stream would keep its place for ever."""


class UnderWay(Protocol):
    """A copy (gateway/proxy/mirror.py)."""

    def drop(self, outcome: str) -> None: ...


class MirrorLedger:
    """One data plane's copies: those under way, what they hold, and how those before ended."""

    def __init__(self, *, workers: int = 1) -> None:
        self.under_way: set[UnderWay] = set()
        self.held_bytes = 0
        self._max_copies = max(1, MAX_COPIES // workers)
        self._ended: dict[tuple[str, str, str], int] = {}

    @property
    def is_full(self) -> bool:
        return len(self.under_way) >= self._max_copies

    def hold(self, size: int, *, held_before: int) -> bool:
        """Whether a copy that holds `held_before` bytes may hold `size` more."""
        if held_before + size > MAX_HELD_BY_ONE or self.held_bytes + size > MAX_HELD_BYTES:
            return False
        self.held_bytes += size
        return True

    def free(self, size: int) -> None:
        self.held_bytes -= size

    def count(self, route: str, service: str, outcome: str) -> None:
        """`outcome`: the class of the answer's status, such as `2xx`, or a slug of why there was none."""
        key = (route, service, outcome)
        self._ended[key] = self._ended.get(key, 0) + 1

    def take(self) -> dict[tuple[str, str, str], int]:
        """By route, service and outcome, since the last call."""
        ended, self._ended = self._ended, {}
        return ended

    def drop_all(self) -> None:
        """The data plane ends."""
        for copy in list(self.under_way):
            copy.drop(reasons.NODE_STOPPED)


def status_class(status: int) -> str:
    return f"{status // 100}xx"


def endpoint_for_copy(
    snapshot: RoutingSnapshot,
    copies: RoutePlan,
    book: EndpointBook,
    *,
    country: str | None,
    client: str = "",
    rng: random.Random,
    now: float,
    current: RoutingSnapshot | None = None,
    held: Collection[str] = (),
) -> Endpoint | None:
    """Who gets the copy. `copies` is the plan that a mirrored route has for them; endpoints `held` are left out."""
    forward = snapshot.forward(copies, country if copies.uses_country else None, client)
    return next_endpoint(snapshot, forward, book, tried=held, rng=rng, now=now, current=current)
