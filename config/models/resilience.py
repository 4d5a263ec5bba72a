"""How a service is protected from its own failures: outliers, breakers, concurrency, timeouts, retries."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from config.models.model import Model
from config.models.values import Method, Statuses
from config.units import (
    DURATION_EXPECTED,
    Duration,
    Rate,
    Refused,
    Share,
    Size,
    between,
    format_duration,
    parse_duration,
    shown,
)

Count = Annotated[int, Field(ge=1, le=1_000_000)]


class OutlierDetection(Model):
    """Endpoints that answer worse than the others are left out for a while; at least one, never all."""

    interval: Annotated[Duration, between("100ms", "1h")] = 10.0
    """From one look to the next."""
    consecutive_errors: Count = 5
    """Errors in a row that make an outlier."""
    success_rate_deviations: Annotated[float, Field(gt=0, le=100)] = 1.9
    """Standard deviations below the mean success rate."""
    min_hosts: Count = 5
    """Fewer endpoints have no mean worth comparing with."""
    min_requests: Count = 100
    """Requests in an interval before a rate means anything."""
    base_ejection: Annotated[Duration, between("100ms", "1d")] = 30.0
    """Doubled at each ejection in a row."""
    max_ejection: Annotated[Duration, between("100ms", "1d")] = 300.0
    """Longest time out."""
    max_ejected: Share = 0.3
    """Share of a service's endpoints that may be out at a time."""


class CircuitBreaker(Model):
    """One an endpoint: it opens on failures, then lets a few trials through."""

    tripping: Literal["percentage", "count", "consecutive"] = "percentage"
    """percentage by `error_threshold`; count and consecutive by `max_errors`."""
    error_threshold: Share = 0.5
    """Share of failures in the window that opens it."""
    max_errors: Count = 5
    """Failures that open it, counted in the window or in a row."""
    min_requests: Count = 20
    """Requests in the window before a share means anything."""
    window: Annotated[Duration, between("100ms", "1h")] = 10.0
    """How far back failures count."""
    open_for: Annotated[Duration, between("10ms", "1h")] = 5.0
    """Doubles with each failed trial, to ten times."""
    half_open_requests: Count = 3
    """Trials at a time after it was open."""
    failure_on: Annotated[tuple[Literal["status", "timeout", "connect"], ...], Field(min_length=1)] = (
        "status",
        "timeout",
        "connect",
    )
    """What counts as a failure."""
    statuses: tuple[Statuses, ...] = ((500, 599),)
    """Statuses that count as failures, such as 500-599."""


class Concurrency(Model):
    """What a node asks of a service at a time, over all its endpoints."""

    max_connections: Count = 1024
    """Connections at a time."""
    max_pending: Count = 1024
    """Requests that wait for a connection."""
    max_requests: Count = 1024
    """Requests at a time."""
    adaptive: bool = False
    """Whether the limit is learnt from latency."""


class UpstreamTimeouts(Model):
    """How long an endpoint may keep a request waiting."""

    connect: Annotated[Duration, between("1ms", "10m")] = 1.0
    """To open a connection."""
    response_head: Annotated[Duration, between("1ms", "1d")] = 15.0
    """From the request's last byte to the answer's head."""
    idle: Annotated[Duration, between("1ms", "1d")] = 30.0
    """Without a byte either way."""
    keep_alive: Annotated[Duration, between("1ms", "1d")] = 4.0
    """Before a connection that waits for another request is closed; shorter than the endpoint's own, often 5 s."""
    total: Annotated[Duration, between("1ms", "30d")] | None = None
    """From the request's head to the answer's last byte; unlimited by default."""


_RETRY_EXPECTED = "connect_failure, reset, or a status from 400 to 599"


def _retry_reason(value: object) -> str | int:
    if isinstance(value, str) and value in {"connect_failure", "reset"}:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599:
        return value
    raise Refused(shown(value), _RETRY_EXPECTED)


_RETRY_SCHEMA: dict[str, Any] = {
    "anyOf": [{"enum": ["connect_failure", "reset"]}, {"type": "integer", "minimum": 400, "maximum": 599}],
}
RetryReason = Annotated[str | int, PlainValidator(_retry_reason), WithJsonSchema(_RETRY_SCHEMA)]


def _hedge_after(value: object) -> str | float:
    if value == "p95":
        return "p95"
    try:
        return parse_duration(value)
    except Refused as refused:
        raise Refused(refused.found, f"p95, or {DURATION_EXPECTED}") from None


def _write_hedge_after(value: str | float) -> str:
    return value if isinstance(value, str) else format_duration(value)


HedgeAfter = Annotated[
    str | float,
    PlainValidator(_hedge_after),
    PlainSerializer(_write_hedge_after, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": r"^p95$|^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$", "examples": ["p95", "200ms"]}
    ),
]


class Backoff(Model):
    """Waiting between tries, with full jitter."""

    kind: Literal["exponential", "linear"] = "exponential"
    """How waiting grows from try to try."""
    initial: Annotated[Duration, between("0s", "1h")] = 0.025
    """Longest wait before the first further try."""
    max: Annotated[Duration, between("0s", "1h")] = 0.25
    """Longest wait before any further try."""


class Retries(Model):
    """When a request is tried again."""

    max_retries: Annotated[int, Field(ge=0, le=100)] = 2
    """Further tries after the first; 0 turns retries off."""
    retry_on: tuple[RetryReason, ...] = ("connect_failure", "reset", 502, 503, 504)
    """connect_failure, reset, or statuses."""
    methods: tuple[Method, ...] = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")
    """A request whose first byte never left may be tried again whatever its method."""
    per_try_timeout: Annotated[Duration, between("1ms", "1d")] | None = None
    """Longest a single try may take."""
    backoff: Backoff = Backoff()
    budget: Share = 0.2
    """Retries and hedges may add this share of load."""
    min_retries: Rate = 10.0
    """But always this many."""
    hedge_after: HedgeAfter | None = None
    """A second copy of an idempotent request after this long: p95 of what was measured, or a duration."""
    buffer: Annotated[Size, between("0B", "1GiB")] = 64 << 10
    """Largest request body kept for replay."""
