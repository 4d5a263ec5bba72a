"""What does a request route by? One frozen, versioned value: compiled configuration plus what is known of the world.

    Config ── compile_routing, once a configuration ──> CompiledRouting ─┐
    verdicts, round trips ── build_snapshot, at each change ─────────────┴──> RoutingSnapshot

A verdict change shares the compiled routes. A request keeps the snapshot it started with, retries included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from config.core.residency import ResidencyPolicy, compile_policy
from config.models import Config, Route, Service
from gateway.core.gate import Endpoint, RegionPool, build_pool
from gateway.core.geography import Point
from gateway.core.regions import (
    ExcludedRegion,
    RankedRegion,
    RegionFacts,
    latency_order,
    local_first,
    rank_by_distance,
    rank_by_failover,
    rank_by_latency,
)
from gateway.core.retries import RetryPolicy
from gateway.core.routes import Matcher, RouteTable, matcher_of
from gateway.messages import EndpointState


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One service as configured."""

    id: str
    algorithm: str
    endpoints: tuple[Endpoint, ...]
    """All untested: verdicts are a snapshot's."""
    max_connections: int
    """Of the whole node."""
    connect_timeout_s: float
    try_timeout_s: float
    """From the request's last byte to the answer's head: the shorter of `response_head` and `per_try_timeout`."""
    idle_timeout_s: float
    total_timeout_s: float | None
    replay_bound: int
    """Bytes of a request's body kept for a retry."""
    hedge_after_s: float | None
    hedges_at_p95: bool
    has_timers: bool
    """Whether a request needs a timer of its own, for a total time-out or a hedge."""
    retries: RetryPolicy


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


@dataclass(frozen=True, slots=True)
class Forward:
    """Proxy it: to the first region, in this order, that has an endpoint."""

    route: RoutePlan
    service: ServicePlan
    regions: tuple[RankedRegion, ...]


@dataclass(frozen=True, slots=True)
class RoutingSnapshot:
    """What one request routes by. Only `_forwards` is ever written: a cache of what follows from the rest."""

    version: int
    routing: CompiledRouting
    pools: Mapping[str, Mapping[str, RegionPool]]
    """By service, then region; a region without endpoints of the service is not named."""
    region_rtts: Mapping[str, float]
    latency_order: tuple[str, ...]
    rankings: Mapping[str, tuple[RankedRegion, ...]]
    """By route; geographic ones for a client of unknown place."""
    _forwards: dict[tuple[str, str | None], Forward] = field(default_factory=dict)

    def ranking(self, route: RoutePlan, country: str | None) -> tuple[RankedRegion, ...]:
        """The regions that may serve `route`, best first, for a client in `country`."""
        if country is None or route.strategy != "geo_proximity":
            return self.rankings[route.id]
        return _rank(route, self.routing, self.latency_order, self.region_rtts, country)

    def forward(self, route: RoutePlan, country: str | None) -> Forward:
        """What to do with a request of `route` from `country`; the same value for every such request."""
        key = (route.id, country)
        forward = self._forwards.get(key)
        if forward is None:
            ranked = self.ranking(route, country)
            regions = ranked if route.may_move else ranked[:1]
            forward = self._forwards[key] = Forward(route, self.routing.services[route.service], regions)
        return forward


def compile_routing(
    config: Config, *, digest: str, now: float, upstream_tls: Mapping[str, object] = MappingProxyType({})
) -> CompiledRouting:
    """Compile a configuration. `now` is wall time, in seconds: residency agreements expire by the calendar.

    `upstream_tls`, by service, is only handed on to whoever connects.
    """
    regions = tuple(
        RegionFacts(
            id=region.id,
            priority=region.priority,
            is_active=region.active,
            location=Point(region.location.latitude, region.location.longitude) if region.location else None,
            gateway=region.gateway,
        )
        for region in config.regions
    )
    local = config.node.region
    if local is None:
        raise ValueError("a configuration without node.region, which the loader always sets")
    policy = compile_policy(config)
    routes = [
        _route_plan(route, order, regions, policy, local=local, now=now)
        for order, route in enumerate(config.routes)
        if route.service is not None
    ]
    return CompiledRouting(
        config_digest=digest,
        node_id=config.node.id,
        region=local,
        location=next((region.location for region in regions if region.id == local), None),
        table=RouteTable(routes),
        services={service.id: _service_plan(service, upstream_tls.get(service.id)) for service in config.services},
        regions=regions,
    )


def _route_plan(
    route: Route, order: int, regions: tuple[RegionFacts, ...], policy: ResidencyPolicy, *, local: str, now: float
) -> RoutePlan:
    allowed: list[RegionFacts] = []
    excluded: list[ExcludedRegion] = []
    local_refusal: ExcludedRegion | None = None
    for region in regions:
        refusal = _residency_refusal(route, region.id, policy, local=local, now=now)
        if refusal is not None:
            excluded.append(refusal)
            if region.id == local:
                local_refusal = refusal
        elif not region.is_active:
            excluded.append(ExcludedRegion(region.id, "region_inactive", None))
        else:
            allowed.append(region)
    match = route.match
    return RoutePlan(
        id=route.id,
        order=order,
        matcher=matcher_of(
            listeners=match.listeners,
            hosts=match.hosts,
            path=match.path,
            methods=match.methods,
            headers=match.headers,
            query=match.query,
        ),
        service=route.service or "",
        data_types=tuple(route.data_types),
        strategy=route.region_routing.strategy,
        prefer_local=route.region_routing.prefer_local,
        may_move=route.region_routing.failover == "automatic",
        regions=tuple(allowed),
        excluded=tuple(excluded),
        local_refusal=local_refusal,
    )


def _residency_refusal(
    route: Route, region: str, policy: ResidencyPolicy, *, local: str, now: float
) -> ExcludedRegion | None:
    for data_type in route.data_types:
        verdict = policy.may(data_type, source=local, destination=region, purpose="route", now=now)
        if not verdict.allowed:
            return ExcludedRegion(region, verdict.reason, verdict.rule)
    return None


def _service_plan(service: Service, tls: object) -> ServicePlan:
    timeouts, retries = service.timeouts, service.retries
    retry_on = {str(cause) for cause in retries.retry_on}
    hedge_after = retries.hedge_after
    return ServicePlan(
        id=service.id,
        algorithm=service.load_balancing.algorithm,
        endpoints=tuple(_endpoints(service, tls)),
        max_connections=service.concurrency.max_connections,
        connect_timeout_s=timeouts.connect,
        try_timeout_s=min(timeouts.response_head, retries.per_try_timeout or timeouts.response_head),
        idle_timeout_s=timeouts.idle,
        total_timeout_s=timeouts.total,
        replay_bound=retries.buffer,
        hedge_after_s=hedge_after if isinstance(hedge_after, float) else None,
        hedges_at_p95=hedge_after == "p95",
        has_timers=timeouts.total is not None or hedge_after is not None,
        retries=RetryPolicy(
            max_retries=retries.max_retries,
            on_connect_failure="connect_failure" in retry_on,
            on_reset="reset" in retry_on,
            statuses=frozenset(int(cause) for cause in retry_on if cause.isdigit()),
            methods=frozenset(retries.methods),
            backoff_kind=retries.backoff.kind,
            backoff_initial_s=retries.backoff.initial,
            backoff_max_s=retries.backoff.max,
            budget_share=retries.budget,
            min_retries_per_s=retries.min_retries,
        ),
    )


def _endpoints(service: Service, tls: object) -> list[Endpoint]:
    endpoints = []
    for endpoint in service.endpoints:
        if endpoint.address is None:
            continue  # discovered names are refused by `config.unbuilt` until discovery resolves them
        host, _, port = endpoint.address.rpartition(":")
        override = endpoint.health_check
        interval = override.interval if override is not None and override.interval is not None else None
        endpoints.append(
            Endpoint(
                id=f"{service.id}/{endpoint.region}/{endpoint.address}",
                service=service.id,
                region=endpoint.region,
                host=host.strip("[]"),
                port=int(port),
                weight=endpoint.weight,
                priority=endpoint.priority,
                is_backup=endpoint.backup,
                probe_interval_s=interval if interval is not None else service.health_check.interval,
                health="untested",
                health_reason="never probed",
                tls=tls,
            )
        )
    return endpoints


UNTESTED = EndpointState("untested", "never probed")


def build_snapshot(
    routing: CompiledRouting,
    *,
    version: int,
    endpoints: Mapping[str, EndpointState],
    region_rtts: Mapping[str, float],
    previous_order: tuple[str, ...] = (),
    verdict_age_s: float = 0.0,
) -> RoutingSnapshot:
    """Put what is known of the world on top of compiled routes."""
    order = latency_order(region_rtts, routing.regions, previous_order)
    return RoutingSnapshot(
        version=version,
        routing=routing,
        pools={
            service.id: _pools(service, endpoints, verdict_age_s=verdict_age_s) for service in routing.services.values()
        },
        region_rtts=region_rtts,
        latency_order=order,
        rankings={route.id: _rank(route, routing, order, region_rtts, None) for route in routing.table.routes},
    )


def _rank(
    route: RoutePlan,
    routing: CompiledRouting,
    order: tuple[str, ...],
    rtts: Mapping[str, float],
    country: str | None,
) -> tuple[RankedRegion, ...]:
    if route.strategy == "geo_proximity":
        ranked = rank_by_distance(route.regions, country, routing.location)
    elif route.strategy == "latency":
        ranked = rank_by_latency(route.regions, order, rtts)
    else:
        ranked = rank_by_failover(route.regions)
    return local_first(ranked, routing.region) if route.prefer_local else ranked


def _pools(service: ServicePlan, states: Mapping[str, EndpointState], *, verdict_age_s: float) -> dict[str, RegionPool]:
    by_region: dict[str, list[Endpoint]] = {}
    for plain in service.endpoints:
        state = states.get(plain.id, UNTESTED)
        by_region.setdefault(plain.region, []).append(_with_state(plain, state))
    return {
        region: build_pool(service.id, region, endpoints, verdict_age_s=verdict_age_s)
        for region, endpoints in by_region.items()
    }


def _with_state(endpoint: Endpoint, state: EndpointState) -> Endpoint:
    if state is UNTESTED:
        return endpoint
    return Endpoint(
        id=endpoint.id,
        service=endpoint.service,
        region=endpoint.region,
        host=endpoint.host,
        port=endpoint.port,
        weight=endpoint.weight,
        priority=endpoint.priority,
        is_backup=endpoint.is_backup,
        probe_interval_s=endpoint.probe_interval_s,
        health=state.health,
        health_reason=state.reason,
        tls=endpoint.tls,
    )
