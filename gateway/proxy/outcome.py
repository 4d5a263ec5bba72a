"""How did one request end? What the counts and the access log are made from."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

PassedOver = tuple[tuple[str, str, str], ...]
"""Where nothing could serve: (region, endpoint or "", reason) of every candidate."""


@dataclass(slots=True)
class Outcome:
    """One ended request."""

    listener: str
    client_ip: str
    request_id: bytes
    status: int
    """What the client got; 0 when it left before."""
    reason: str
    """Slug; empty for an answer that came from upstream."""
    detail: str
    route: str
    started_at: float
    """Monotonic seconds, at the head's arrival."""
    method: str = ""
    """Empty, like host and path, where there was no usable head."""
    host: str = ""
    path: bytes = b""
    region: str = ""
    endpoint: str = ""
    attempts: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    """Of bodies."""
    passed_over: PassedOver = ()
    failures: tuple[tuple[str, str], ...] = ()
    """(endpoint, what happened) of each attempt that failed."""
    mirror: str = ""
    """The service that got a copy, or why it got none; empty where none was to be made."""
    waited_s: float = 0.0
    """For a place at its service."""
    session: str = ""
    """Where sessions stick: what became of this one, and why."""


class AccessLine(msgspec.Struct, omit_defaults=True):
    """One line of the access log."""

    time: str
    node: str
    listener: str
    client: str
    request_id: str
    method: str
    host: str
    path: str
    status: int
    duration_ms: float
    route: str = ""
    region: str = ""
    endpoint: str = ""
    attempts: int = 0
    reason: str = ""
    detail: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    passed_over: list[dict[str, str]] = []
    failures: list[dict[str, str]] = []
    mirror: str = ""
    session: str = ""
    waited_ms: float | None = None


_encode = msgspec.json.Encoder().encode


def access_line(outcome: Outcome, *, node_id: str, stamp: str, duration_s: float) -> bytes:
    """The outcome as one JSON line; `stamp` is the wall time in RFC 3339."""
    line = AccessLine(
        time=stamp,
        node=node_id,
        listener=outcome.listener,
        client=outcome.client_ip,
        request_id=outcome.request_id.decode(),
        method=outcome.method,
        host=outcome.host,
        path=outcome.path.decode("ascii", "backslashreplace"),
        status=outcome.status,
        duration_ms=round(duration_s * 1000, 3),
        route=outcome.route,
        region=outcome.region,
        endpoint=outcome.endpoint,
        attempts=outcome.attempts,
        reason=outcome.reason,
        detail=outcome.detail,
        bytes_in=outcome.bytes_in,
        bytes_out=outcome.bytes_out,
        passed_over=[{"region": r, "endpoint": e, "reason": why} for r, e, why in outcome.passed_over],
        failures=[{"endpoint": e, "failure": why} for e, why in outcome.failures],
        mirror=outcome.mirror,
        session=outcome.session,
        waited_ms=round(outcome.waited_s * 1000, 3) if outcome.waited_s else None,
    )
    return _encode(line) + b"\n"
