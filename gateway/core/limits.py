"""How often may who come? A route's limits, compiled; what a client over one of them is told.

The fields follow draft-ietf-httpapi-ratelimit-headers-10: a policy is a quota `q` in a window of `w` seconds, and
`RateLimit` says how many are left and in how many seconds more come.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from config.models.shaping import RateLimit
from gateway.core import reasons
from gateway.core.client_keys import KeyPart, key_part
from gateway.core.gcra import Quota, quota
from gateway.core.problems import Answer

QUEUE_S: Final = 60.0
"""Longest stay in a queue: clients, and what is between, give up about then."""


@dataclass(frozen=True, slots=True)
class LimitPlan:
    """One limit of one route, or one tenant's quota."""

    id: str
    """What `explain` and `RateLimit-Policy` call it."""
    prefix: bytes
    """What its keys start with, so that no two limits count together."""
    parts: tuple[KeyPart, ...]
    quota: Quota
    scope: str
    max_wait_s: float
    """How long a request too many may wait; 0.0 where it is refused at once."""
    max_queue: int
    """Requests that wait at a time, on a node."""
    reason: str


SHORTEST_BURST_S: Final = 0.05
"""Of limits that nodes count together: tokens are leased each few milliseconds, and a bucket that is full again before
the next question would waste most of its rate."""


def quota_of(rate: float, burst: int | None, scope: str) -> Quota:
    """As configured; where nodes count together, with a burst of at least a twentieth of a second."""
    whole = quota(rate, burst)
    least = math.ceil(rate * SHORTEST_BURST_S)
    return whole if scope == "node" or whole.burst >= least else quota(rate, least)


def limit_plans(route: str, limits: Sequence[RateLimit], services: Sequence[str] = ()) -> tuple[LimitPlan, ...]:
    """As configured, on a route to these `services`."""
    return tuple(_plan(f"{route}-{number}", limit, services) for number, limit in enumerate(limits, 1))


def _plan(name: str, limit: RateLimit, services: Sequence[str]) -> LimitPlan:
    waits = {"reject": 0.0, "delay": limit.max_delay, "queue": QUEUE_S}
    return LimitPlan(
        id=name,
        prefix=_counted_by(name, limit).encode() + b"\0",
        parts=tuple(key_part(text, services) for text in limit.key),
        quota=quota_of(limit.rate, limit.burst, limit.scope),
        scope=limit.scope,
        max_wait_s=waits[limit.on_exceed],
        max_queue=limit.max_queue,
        reason=reasons.RATE_LIMITED,
    )


def _counted_by(name: str, limit: RateLimit) -> str:
    """Its own name; of a limit by service what it says, so that routes which say the same count together."""
    if "service" not in limit.key:
        return name
    return f"service {' '.join(limit.key)} {limit.rate!r} {limit.burst} {limit.scope}"


def over_limit(plan: LimitPlan, wait_s: float, *, queue_full: bool = False) -> Answer:
    """429. `wait_s` until one more would be taken."""
    retry_s = max(1, math.ceil(wait_s))
    of = plan.quota
    detail = f"over the limit {plan.id} of {of.rate:g} requests a second, {of.burst} at once"
    return Answer(
        status=429,
        reason=reasons.QUEUE_FULL if queue_full else plan.reason,
        detail=detail + (f"; {plan.max_queue} already wait" if queue_full else ""),
        proxy_status="http_request_denied",
        rule=plan.id,
        retry_after_s=retry_s,
        fields=(
            b'RateLimit-Policy: "%b";q=%d;w=%d' % (plan.id.encode(), of.burst, max(1, math.ceil(of.burst_s))),
            b'RateLimit: "%b";r=0;t=%d' % (plan.id.encode(), retry_s),
        ),
    )
