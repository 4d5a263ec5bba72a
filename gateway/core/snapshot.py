"""What does a request route by? One frozen, versioned value: compiled configuration plus what is known of the world.

    Config ── compile_routing (compiling.py), once ──> CompiledRouting (plans.py) ─┐
    verdicts, round trips, ── build_snapshot, at each change ──────────────────────┴──> RoutingSnapshot
    what names stand for

A verdict change shares the compiled routes. A request keeps the snapshot it started with, retries included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from gateway.core import reasons
from gateway.core.endpoints import Resolved, standing, with_state
from gateway.core.gate import NO_ORDER, Endpoint, RegionPool, build_pool
from gateway.core.geography import Place, Point, nowhere
from gateway.core.panic import panicking
from gateway.core.plans import CompiledRouting, RoutePlan, ServicePlan
from gateway.core.regions import (
    RankedRegion,
    latency_order,
    local_first,
    place_of,
    place_of_client,
    put_first,
    rank_by_compliance,
    rank_by_criteria,
    rank_by_distance,
    rank_by_failover,
    rank_by_latency,
    rank_by_weight,
    settled_rtts,
)
from gateway.core.replicas import NOTHING_KNOWN, Replicas
from gateway.core.spill import UNLIMITED, RegionLoads, fitness, spilled_to
from gateway.core.steering import SteeringRule
from gateway.core.sticky_cookie import StickyCookie
from gateway.messages import EndpointState, OperatorState, ResolvedEndpoint


@dataclass(frozen=True, slots=True)
class Forward:
    """Proxy it: to the first region, in this order, that has an endpoint."""

    route: RoutePlan
    service: ServicePlan
    regions: tuple[RankedRegion, ...]
    panic: frozenset[str] = frozenset()
    """Regions where so few endpoints are healthy that all are used (gateway/core/panic.py)."""
    spill: Spill | None = None
    """Which clients go on to a later region; None while the first takes them all."""


@dataclass(frozen=True, slots=True)
class Spill:
    """A region that is not fit for all of a route's load, or whose capacity is limited (gateway/core/spill.py)."""

    regions: tuple[str, ...]
    fit: tuple[float, ...]
    salt: str
    loads: RegionLoads
    forwards: tuple[Forward, ...]
    """By the region that takes the client."""

    def forward(self, client: str) -> Forward:
        """Where this client goes; counted."""
        return self.forwards[spilled_to(self.regions, self.fit, self.loads, place_of(client, self.salt))]

    def to(self, region: str) -> Forward:
        """To this one of the regions, wherever the client's place is; counted as well."""
        self.loads.admits(region, 0.0)
        return self.forwards[self.regions.index(region)]


@dataclass(frozen=True, slots=True)
class RoutingSnapshot:
    """What one request routes by. Only `_forwards` is ever written: a cache of what follows from the rest."""

    version: int
    routing: CompiledRouting
    pools: Mapping[str, Mapping[str, RegionPool]]
    """By service, then region; a region without endpoints of the service is not named."""
    region_rtts: Mapping[str, float]
    settled_rtts: Mapping[str, float]
    """The same with hysteresis, as scores go by them."""
    latency_order: tuple[str, ...]
    rankings: Mapping[str, tuple[RankedRegion, ...]]
    """By route; geographic ones for a client of unknown place."""
    resolved: Resolved
    """Whom the names among the endpoints stand for."""
    loads: RegionLoads = UNLIMITED
    """What this data plane sends to regions of limited capacity; measured, and so outlives the snapshot."""
    replicas: Replicas = NOTHING_KNOWN
    """How far the data is in each region; told again and again, and so outlives the snapshot."""
    locate: Callable[[str], Place | None] = nowhere
    """Where a client's address is, where a database tells more than the country."""
    failed_conditions: dict[str, int] = field(default_factory=dict)
    """By `<route>/<rule>`: conditions that had no answer."""
    marked: Mapping[str, Mapping[bytes, Endpoint]] = field(default_factory=dict)
    """By service whose sessions stick: its endpoints by what stands for them in cookies."""
    _forwards: dict[tuple[object, ...], Forward] = field(default_factory=dict)

    def ranking(
        self, route: RoutePlan, country: str | None, wish: str | None = None, *, client: str = ""
    ) -> tuple[RankedRegion, ...]:
        """The regions that may serve `route`, best first, for a client in `country`, with the address `client`."""
        return self._ranking(route, country, wish, self.point(route, country, client))

    def point(self, route: RoutePlan, country: str | None, client: str) -> Point | None:
        """Where a client is, if the route's order depends on it; not in another country than the one that was told."""
        place = self.locate(client) if client and route.uses_place else None
        return place.point if place is not None and place.country == country else None

    def _ranking(
        self, route: RoutePlan, country: str | None, wish: str | None, point: Point | None
    ) -> tuple[RankedRegion, ...]:
        if wish is None and (country is None or not route.uses_country) and route.criteria is None:
            return self.rankings[route.id]
        free = self._free(route) if route.criteria is not None else {}
        rtts = self.region_rtts if route.criteria is None else self.settled_rtts
        return _rank(route, self.routing, self.latency_order, rtts, country, free, wish, point)

    def _free(self, route: RoutePlan) -> dict[str, float]:
        service = self.routing.services[route.service]
        pools = self.pools[service.id]
        return {
            region.id: fitness(pools.get(region.id), service.overprovisioning) * self.loads.free(region.id)
            for region in route.regions
        }

    def forward(self, route: RoutePlan, country: str | None, client: str = "") -> Forward:
        """What to do with a request of `route` from `country` and near there; the same value for every such request."""
        point = self.point(route, country, client) if route.uses_place else None
        key: tuple[object, ...] = (route.key, country, point)
        if route.criteria is not None and self.loads.limited:
            key = (*key, self._load_levels())
        forward = self._forwards.get(key)
        if forward is None:
            forward = self._keep(key, self._forward(route, self._ranking(route, country, None, point)))
        return forward

    def steered(
        self, route: RoutePlan, country: str | None, rule: SteeringRule | None, wish: str | None, client: str
    ) -> Forward:
        """The same for a request that a rule, a wish or its share moves."""
        steering = route.steering
        weights = steering.weights if steering is not None else None
        order: tuple[RankedRegion, ...] | None = None
        if weights is not None:
            order = rank_by_weight(route.regions, weights, client)
        levels = self._load_levels() if route.criteria is not None and self.loads.limited else ()
        point = self.point(route, country, client)
        key = (route.key, country, point, rule.number if rule else None, wish, order, levels)
        forward = self._forwards.get(key)
        if forward is not None:
            return forward
        ranked = order if order is not None else self._ranking(route, country, wish, point)
        if rule is not None:
            ranked = put_first(ranked, rule.regions, reasons.RULE_MATCHED)
            if wish in rule.regions:
                ranked = put_first(ranked, (wish,), reasons.CLIENT_PREFERENCE)
        elif wish is not None and route.criteria is None:
            ranked = put_first(ranked, (wish,), reasons.CLIENT_PREFERENCE)
        return self._keep(key, self._forward(route, ranked))

    def narrowed(self, forward: Forward, kept: frozenset[str]) -> Forward:
        """The same, to these of its regions only."""
        regions = tuple(entry for entry in forward.regions if entry.region in kept)
        key = (forward.route.key, "narrowed", regions, forward.panic)
        return self._forwards.get(key) or self._keep(key, replace(forward, regions=regions, spill=None))

    def _load_levels(self) -> tuple[int, ...]:
        """Coarse, so that few rankings are kept."""
        return tuple(int(self.loads.free(region) * LOAD_LEVELS) for region in sorted(self.loads.limited))

    def _keep(self, key: tuple[object, ...], forward: Forward) -> Forward:
        if len(self._forwards) >= MAX_FORWARDS:
            self._forwards.clear()
        self._forwards[key] = forward
        return forward

    def forwarded_here(self, route: RoutePlan, service: str) -> Forward:
        """For a request that another gateway has decided: this region alone, and nothing done on the way again."""
        key = ("hop", route.key, service)
        forward = self._forwards.get(key)
        if forward is None:
            plan = replace(
                route, service=service, shaping=None, admission=None, steering=None, mirror=None, parts=(), writes=None
            )
            here = RankedRegion(self.routing.region, None, reasons.FORWARDED_ONCE)
            forward = self._keep(key, self._forward(plan, (here,)))
        return forward

    def _forward(self, route: RoutePlan, ranked: tuple[RankedRegion, ...]) -> Forward:
        if route.replicas:
            ranked = tuple(entry for entry in ranked if entry.region not in route.replicas)
        regions = ranked if route.may_move else ranked[:1]
        service = self.routing.services[route.service]
        panic = panicking(
            (entry.region for entry in regions),
            self.pools[service.id],
            threshold=service.balancing.panic_threshold,
            overprovisioning=service.balancing.overprovisioning,
        )
        plain = Forward(route, service, regions, panic)
        return plain if len(regions) < 2 else replace(plain, spill=self._spill(plain))

    def _spill(self, plain: Forward) -> Spill | None:
        service, regions = plain.service, plain.regions
        pools = self.pools[service.id]
        fit = tuple(fitness(pools.get(entry.region), service.overprovisioning) for entry in regions)
        limited = self.loads.limited
        able = [entry.region for entry, share in zip(regions, fit, strict=True) if share > 0.0]
        if len(able) < 2 or (not limited.intersection(able) and next(share for share in fit if share > 0.0) >= 1.0):
            return None
        forwards = []
        for index, entry in enumerate(regions):
            rest = tuple(other for other in regions if other is not entry)
            first = entry if index == 0 else RankedRegion(entry.region, entry.score, reasons.SPILLED_OVER)
            forwards.append(Forward(plain.route, service, (first, *rest), plain.panic))
        names = tuple(entry.region for entry in regions)
        return Spill(names, fit, f"spill {service.id}", self.loads, tuple(forwards))


LOAD_LEVELS = 10
MAX_FORWARDS = 20_000
"""Routes x countries x rules x wishes x orders, in the worst case: some MiB; then it starts anew."""


def build_snapshot(
    routing: CompiledRouting,
    *,
    version: int,
    endpoints: Mapping[str, EndpointState],
    region_rtts: Mapping[str, float],
    previous: RoutingSnapshot | None = None,
    verdict_age_s: float = 0.0,
    operator: Mapping[str, OperatorState] = MappingProxyType({}),
    resolved: Resolved = MappingProxyType({}),
    loads: RegionLoads = UNLIMITED,
    replicas: Replicas = NOTHING_KNOWN,
    locate: Callable[[str], Place | None] = nowhere,
    failed_conditions: dict[str, int] | None = None,
) -> RoutingSnapshot:
    """Put what is known of the world on top of compiled routes; latencies keep an order that was right `previous`ly."""
    order = latency_order(region_rtts, routing.regions, previous.latency_order if previous else ())
    settled = settled_rtts(region_rtts, previous.settled_rtts if previous else {})
    standing_now = {
        service.id: [
            with_state(plain, endpoints.get(plain.id), operator.get(plain.id, NO_ORDER))
            for plain in standing(service.endpoints, service.names, resolved)
        ]
        for service in routing.services.values()
    }
    return RoutingSnapshot(
        version=version,
        routing=routing,
        pools={
            service.id: _pools(service, standing_now[service.id], verdict_age_s=verdict_age_s)
            for service in routing.services.values()
        },
        marked={
            service.id: _marked(service.sticky, service, standing_now[service.id])
            for service in routing.services.values()
            if service.sticky is not None
        },
        region_rtts=region_rtts,
        settled_rtts=settled,
        latency_order=order,
        resolved=resolved,
        rankings={
            route.id: _rank(route, routing, order, region_rtts if route.criteria is None else settled, None, {}, None)
            for route in routing.table.routes
        },
        loads=loads,
        replicas=replicas,
        locate=locate,
        failed_conditions=failed_conditions if failed_conditions is not None else {},
    )


def _marked(sticky: StickyCookie, service: ServicePlan, every: Sequence[Endpoint]) -> dict[bytes, Endpoint]:
    """Whom cookies may name: an endpoint, or the gateway of one that is beyond it."""
    now = {endpoint.id: endpoint for endpoint in every}
    found = sticky.marked([*every, *(endpoint for endpoint, _ in service.beyond)])
    gateways = {endpoint.id: now[gateway.id] for endpoint, gateway in service.beyond}
    return {mark: gateways.get(endpoint.id, endpoint) for mark, endpoint in found.items()}


def _rank(  # noqa: PLR0917 - all that an order may depend on
    route: RoutePlan,
    routing: CompiledRouting,
    order: tuple[str, ...],
    rtts: Mapping[str, float],
    country: str | None,
    free: Mapping[str, float],
    wish: str | None,
    point: Point | None = None,
) -> tuple[RankedRegion, ...]:
    if route.strategy == "geo_proximity":
        ranked = rank_by_distance(route.regions, place_of_client(country, point), routing.location)
    elif route.strategy == "latency":
        ranked = rank_by_latency(route.regions, order, rtts)
    elif route.strategy == "compliance":
        zones = routing.zones.get(country) if country is not None else None
        ranked = rank_by_compliance(route.regions, zones)
        if route.prefer_local and zones:
            own = tuple(entry for entry in ranked if entry.reason == reasons.CLIENTS_ZONE)
            return (*local_first(own, routing.region), *ranked[len(own) :])
    elif route.criteria is not None:
        origin = place_of_client(country, point) or routing.location
        ranked = rank_by_criteria(route.regions, route.criteria, rtts, origin, free, wish)
    else:
        ranked = rank_by_failover(route.regions)
    return local_first(ranked, routing.region) if route.prefer_local else ranked


def assumed(routing: CompiledRouting) -> Resolved:
    """For an explanation without a network: each name as if it were the one server that it stands for."""
    names = [name for service in routing.services.values() for name in service.names]
    return {name.id: (ResolvedEndpoint(name.host, name.port, name.host),) for name in names}


def _pools(service: ServicePlan, every: Sequence[Endpoint], *, verdict_age_s: float) -> dict[str, RegionPool]:
    by_region: dict[str, list[Endpoint]] = {}
    for endpoint in every:
        by_region.setdefault(endpoint.region, []).append(endpoint)
    return {
        region: build_pool(
            service.id,
            region,
            endpoints,
            verdict_age_s=verdict_age_s,
            balancing=service.balancing,
            has_sessions=service.sticky is not None,
        )
        for region, endpoints in by_region.items()
    }
