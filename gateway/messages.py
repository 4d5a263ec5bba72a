"""What the control process tells a data plane, and what it hears back.

    control  --Publication-->  data plane     what to route by: configuration, verdicts, latencies
             --Heartbeat---->                 the verdicts are still being checked
    control  <--Hello--------  data plane     who I am and what I have
             <--Report-------                 counts since the last report, and what was learnt

These are versioned data, not objects: they cross a process border as JSON (`encode`, `decode`) and an in-memory
channel as they are. Times are ages in seconds, because two processes may not share a clock's origin.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Health = Literal["untested", "up", "down"]
PROTOCOL = 1
"""Raised when a field changes its meaning; a peer with another number is refused and restarted."""


class EndpointState(msgspec.Struct, frozen=True, omit_defaults=True):
    """The prober's verdict on one endpoint."""

    health: Health
    reason: str
    """One sentence or slug, the same in log, admin API and `explain`: `http 200`, `connection refused`."""


class Publication(msgspec.Struct, frozen=True, tag="publication", omit_defaults=True):
    """One consistent view to route by; a data plane swaps it in whole or not at all.

    `config` is the validated configuration as JSON (`Config.model_dump_json`), left out when the receiver has said,
    in `Hello` or by an earlier publication, that it holds the configuration with this digest.
    """

    version: int
    config_digest: str
    config: str | None = None
    endpoints: dict[str, EndpointState] = {}
    """By endpoint id, `<service>/<region>/<host:port>`. An endpoint that is not named is untested."""
    region_rtts: dict[str, float] = {}
    """Smoothed round trip from this node to each region, in seconds. A region never measured is not named."""
    protocol: int = PROTOCOL


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat"):
    """The verdicts last published are still being checked. Without it for long, a down verdict has gone stale."""

    version: int


class Hello(msgspec.Struct, frozen=True, tag="hello", omit_defaults=True):
    """A data plane's first words on a new channel."""

    slot: int
    pid: int
    version: int | None = None
    config_digest: str | None = None
    protocol: int = PROTOCOL


class RouteCount(msgspec.Struct, frozen=True):
    """Requests that ended, by what they had in common."""

    route: str
    """Route id, or "" when none matched."""
    region: str
    """Region that answered, or "" when none was reached."""
    status: int
    """Status the client got; 0 when the client left before any."""
    reason: str
    """Reason slug of the decision or failure, "" for a plain answer from upstream."""
    count: int
    total_s: float
    """Sum of durations, in seconds, from the head's arrival to the answer's last byte."""
    buckets: list[int]
    """Durations by `DURATION_BUCKETS_S`, not cumulative; one more for those above the last."""


class EndpointCount(msgspec.Struct, frozen=True):
    """What this data plane learnt of one endpoint since its last report."""

    endpoint: str
    attempts: int
    connect_failures: int
    """Attempts that failed before the endpoint had a byte of the request."""
    failures: int
    """Attempts that failed after that: reset, no answer in time, nonsense."""
    in_flight: int
    """Now, not since the last report."""


class Report(msgspec.Struct, frozen=True, tag="report"):
    """Counts since the last report (deltas), and gauges as they are now."""

    version: int | None
    """Snapshot in force, None while there is none."""
    connections: int
    in_flight: int
    routes: list[RouteCount]
    endpoints: list[EndpointCount]
    access_log_dropped: int = 0
    """Lines lost since the last report because whoever reads the access log was too slow."""


DURATION_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

ToDataPlane = Publication | Heartbeat
FromDataPlane = Hello | Report

encode = msgspec.json.Encoder().encode
decode_to_data_plane = msgspec.json.Decoder(ToDataPlane).decode
decode_from_data_plane = msgspec.json.Decoder(FromDataPlane).decode
