"""What is a configuration once it is compiled: services, routes, and all of them as one value.

Frozen, made by gateway/core/compiling.py, and known to whatever decides. Nothing here says how anything is doing: that
is a snapshot's (gateway/core/snapshot.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from config.core.signing import Signer
from gateway.core.admission import AdmissionPlan
from gateway.core.discovery import Discovery
from gateway.core.gate import Balancing, Endpoint
from gateway.core.geography import Point
from gateway.core.policies import Policies
from gateway.core.regions import (
    Criteria,
    ExcludedRegion,
    RegionFacts,
)
from gateway.core.retries import RetryPolicy
from gateway.core.routes import Matcher, RouteTable
from gateway.core.shaping import Shaping
from gateway.core.steering import Steering
from gateway.core.sticky_cookie import StickyCookie


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One service as configured."""

    id: str
    balancing: Balancing
    policies: Policies
    endpoints: tuple[Endpoint, ...]
    """Those with an address; all untested: verdicts are a snapshot's."""
    names: tuple[Endpoint, ...]
    """Those that are names, as configured: whom they stand for is a snapshot's."""
    max_connections: int
    """Of the whole node."""
    connect_timeout_s: float
    try_timeout_s: float
    """From the request's last byte to the answer's head: the shorter of `response_head` and `per_try_timeout`."""
    idle_timeout_s: float
    keep_alive_s: float
    """How long a connection may wait for another request."""
    total_timeout_s: float | None
    replay_bound: int
    """Bytes of a request's body kept for a retry."""
    hedge_after_s: float | None
    hedges_at_p95: bool
    has_timers: bool
    """Whether a request needs a timer of its own, for a total time-out or a hedge."""
    retries: RetryPolicy
    overprovisioning: float = 1.4
    """A region spills over only below the inverse of this, in healthy endpoints."""
    is_data: bool = False
    """The data API: writes carry operation ids (gateway/core/data_service.py)."""
    beyond: tuple[tuple[Endpoint, Endpoint], ...] = ()
    """Endpoints that are behind other regions' gateways, each with its gateway: sessions may be there."""
    sticky: StickyCookie | None = None
    """Keeps clients with their endpoints; None where sessions do not stick."""


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """One route as configured, with the regions that residency and the operator leave it."""

    id: str
    order: int
    matcher: Matcher
    service: str
    data_types: tuple[str, ...]
    strategy: str
    prefer_local: bool
    may_move: bool
    """Whether traffic may move to another region by itself."""
    regions: tuple[RegionFacts, ...]
    """The candidates, before any preference."""
    excluded: tuple[ExcludedRegion, ...]
    local_refusal: ExcludedRegion | None
    """Why this node's own region may not hold the route's data; None when it may."""
    admission: AdmissionPlan | None
    """What is asked of a request before it goes on."""
    uses_country: bool = False
    """Whether the order of regions depends on where the client is."""
    uses_place: bool = False
    """... and not only on its country."""
    criteria: Criteria | None = None
    steering: Steering | None = None
    """What about a single request moves it between regions; None for most."""
    guards: tuple[Matcher, ...] = ()
    """Of bound routes before this unbound one, to the same service: a path of theirs is not served here instead."""
    permits: Mapping[str, str] = field(default_factory=dict)
    """By other region: the rule or agreement under which this route's data may go there."""
    is_audited: bool = False
    """Whether refusals and transfers to other regions go to the audit log."""
    shaping: Shaping | None = None
    """What is done to its requests and their answers; None for most."""
    key: str = ""
    """The route, and of a split or a mirror the service too: by it what follows from the rest is kept."""
    parts: tuple[RoutePlan, ...] = ()
    """Of a split: the same route by each of its services, with the same regions."""
    mirror: RoutePlan | None = None
    """The route of the copies: another service, the same regions."""
    writes: RoutePlan | None = None
    """The same for requests that may write, without read replicas; None where all its regions take writes."""
    replicas: frozenset[str] = frozenset()
    """Of a route for writes: the regions that it leaves out of a ranking."""
    discovery: Discovery | None = None
    """For the route that the node answers itself with what clients are told (gateway/core/discovery.py)."""


@dataclass(frozen=True, slots=True)
class CompiledRouting:
    """All of a configuration that routing needs."""

    config_digest: str
    node_id: str
    region: str
    location: Point | None
    table: RouteTable[RoutePlan]
    services: Mapping[str, ServicePlan]
    regions: tuple[RegionFacts, ...]
    zones: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Compliance zones by the country of a client."""
    signer: Signer | None = None
    """The mesh's keys, where they are at hand."""
    valid_until: float = float("inf")
    """Wall seconds: an agreement ends then, and what is compiled here holds no longer."""
    takes_debug: bool = False
    """Whether there are operators, who may ask for the explanation of a request that they send."""
    takes_hops: bool = False
    """Whether other regions reach this one through this gateway."""
