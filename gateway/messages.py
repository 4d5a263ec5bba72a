"""What the control process tells a data plane, and what it hears back.

    control  --Publication-->  data plane     what to route by: configuration, verdicts, latencies
             --Heartbeat---->                 the verdicts are still being checked
             --Replicated--->                 how far the clients' data is
             --Parts-------->                 how much of each region's capacity is this node's
    control  <--Hello--------  data plane     who I am and what I have
             <--Report-------                 counts since the last report, and what was learnt

These are versioned data, not objects: they cross a process border as JSON (`encode`, `decode`) and an in-memory
channel as they are. Times are ages in seconds, because two processes may not share a clock's origin.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Health = Literal["untested", "up", "down"]
PROTOCOL = 1
"""Raised when a field changes its meaning; a peer with another number is refused and restarted."""


class EndpointState(msgspec.Struct, frozen=True, omit_defaults=True):
    """The prober's verdict on one endpoint."""

    health: Health
    reason: str
    """One sentence or slug, the same in log, admin API and `explain`: `http 200`, `connection refused`."""


class OperatorState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What people have ordered for one endpoint: itself, its service's or its region's, whichever is strictest."""

    share: float = 1.0
    """Of its weight, 0 to 1: a drain lowers it step by step, an undrain raises it again."""
    is_draining: bool = False
    """No new session begins there, and a sticky one moves at its next request; plain requests come by its share."""
    disabled: bool = False
    """Nothing at all, whatever else is known."""
    is_overdue: bool = False
    """The drain's deadline has passed: what still flies there is ended."""
    reason: str = ""
    """Why, in the operator's words."""


class ResolvedEndpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """One server that a name of the configuration stands for now (`dns`, `dns_srv`)."""

    host: str
    """Its IP address."""
    port: int
    name: str
    """The name it was found under: what its certificate is to be for."""
    weight: int = 1
    """Of its SRV record, at least 1; the configured weight is multiplied by it."""
    priority: int = 0
    """Of its SRV record; added to the configured priority."""


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
    ejected: dict[str, float] = {}
    """By endpoint id, for how many seconds more: those that answer worse than the others, over all data planes."""
    operator: dict[str, OperatorState] = {}
    """By endpoint id; one that is not named has no order."""
    resolved: dict[str, tuple[ResolvedEndpoint, ...]] = {}
    """By the configured endpoint that is a name, `<service>/<region>/<name:port>` or `.../srv:<name>`. One that is not
    named has not been answered for yet: it stands for whom it stood before. What is found has ids like any other
    endpoint, with its address for host."""
    protocol: int = PROTOCOL


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat"):
    """The verdicts last published are still being checked. Without it for long, a down verdict has gone stale."""

    version: int


class Replicated(msgspec.Struct, frozen=True, tag="replicated"):
    """How far the clients' data is, for routes that ask for consistency. Each message replaces the one before."""

    applied: dict[str, dict[str, dict[str, int]]]
    """By region, collection and origin: the highest sequence that every node of the region has applied. All collections
    that a region keeps are named; the region "" is this very node's store."""
    lags: dict[str, dict[str, float | None]]
    """By region and collection: seconds behind the other regions, as of now; None: not known."""


class Parts(msgspec.Struct, frozen=True, tag="parts"):
    """What this node may use of regions that other nodes send to as well. Each message replaces the one before."""

    parts: dict[str, float]
    """By region of limited capacity, 0 to 1."""


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


class EndpointCount(msgspec.Struct, frozen=True, omit_defaults=True):
    """What this data plane learnt of one endpoint since its last report."""

    endpoint: str
    attempts: int
    connect_failures: int
    """Attempts that failed before the endpoint had a byte of the request."""
    failures: int
    """Attempts that failed after that: reset, no answer in time, nonsense."""
    in_flight: int
    """Now, not since the last report."""
    streams: int = 0
    """WebSockets, of `in_flight`; now, too."""
    answers: int = 0
    errors: int = 0
    """Answers of 500 and above, of `answers`."""
    held: str = ""
    """Slug of why this data plane holds it back now; "" where it does not."""
    held_s: float = 0.0
    """For how long still, where that is known."""
    share: float = 1.0
    """Of its weight, in slow start."""


class TenantCount(msgspec.Struct, frozen=True):
    """Requests of a tenant since the last report."""

    tenant: str
    """As configured, or `other`."""
    outcome: str
    """admitted, limited, shed."""
    count: int


class MirrorCount(msgspec.Struct, frozen=True):
    """Copies of requests that ended since the last report."""

    route: str
    service: str
    """Who got them, or would have."""
    outcome: str
    """Class of the answer's status, such as `2xx`; a slug of why there was none."""
    count: int


class ServiceCount(msgspec.Struct, frozen=True):
    """How busy a data plane keeps one service."""

    service: str
    active: int
    """Requests under way; now, like the next two."""
    pending: int
    """Requests that wait for a place or a connection."""
    limit: int
    """Requests that may be under way, as configured or as learnt."""
    waited: int
    """Requests, since the last report, that had to wait."""
    overflowed: int
    """Requests, since then, that found no room or whose turn did not come."""


class SessionCount(msgspec.Struct, frozen=True):
    """Requests since the last report, by what became of their sessions."""

    service: str
    outcome: str
    """session_kept, session_begun, session_moved, session_away."""
    reason: str
    """Why it was not kept, "" for one that was."""
    count: int


class AdmissionGauges(msgspec.Struct, frozen=True, omit_defaults=True):
    """How admission stands, as it is now."""

    shed_level: int = 0
    """How many ranks are turned away: 0 none, 1 batch, 2 interactive too, 3 all."""
    stores: dict[str, str] = {}
    """By scope: why nodes do not count together now, but each its share; empty where they do."""
    overflowed: int = 0
    """Requests, since this data plane started, whose key found no place in the table of limits."""
    unlocked: int = 0
    """Updates of that table, since then, that did not wait for their lock."""


class Report(msgspec.Struct, frozen=True, tag="report"):
    """Counts since the last report (deltas), and gauges as they are now."""

    version: int | None
    """Snapshot in force, None while there is none."""
    connections: int
    in_flight: int
    routes: list[RouteCount]
    endpoints: list[EndpointCount]
    tenants: list[TenantCount] = []
    mirrors: list[MirrorCount] = []
    admission: AdmissionGauges = AdmissionGauges()
    countries_built_at: float | None = None
    """Unix time at which the country database in use was built; None for the bundled data."""
    failed_conditions: dict[str, int] = {}
    """By `<route>/<number of the rule>`: conditions that had no answer since the last report, and so did not match."""
    explanations: list[dict[str, Any]] = []
    """Of requests with an operator's debug field that ended since the last report."""
    debug_refused: int = 0
    """Debug fields since the last report that were forged, malformed, too old or too many."""
    audit_lost: int = 0
    """Audit records since the last report that could not be written."""
    services: list[ServiceCount] = []
    demands: dict[str, float] = {}
    """By region of limited capacity: requests a second that would go there, if it had room for all; smoothed."""
    sessions: dict[str, list[int]] = {}
    """By endpoint id: sessions that were seen there since the last report, or a sample of them."""
    sessions_level: int = 0
    """The sample is one in two to the power of this."""
    session_counts: list[SessionCount] = []
    access_log_dropped: int = 0
    """Lines lost since the last report because whoever reads the access log was too slow."""
    spans_dropped: int = 0
    """Spans since the last report that no collector has taken."""


DURATION_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

ToDataPlane = Publication | Heartbeat | Replicated | Parts
FromDataPlane = Hello | Report

encode = msgspec.json.Encoder().encode
decode_to_data_plane = msgspec.json.Decoder(ToDataPlane).decode
decode_from_data_plane = msgspec.json.Decoder(FromDataPlane).decode
