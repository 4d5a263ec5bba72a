"""What does a configuration mean for routing? Worked out once, so that no request asks again.

    Config ── compile_routing ──> CompiledRouting        routes with the regions that may have their data, services

Residency is asked here, of each route and region: where data may be is a matter of the configuration and the calendar.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from config.core.residency import ResidencyPolicy, compile_policy
from config.core.signing import Signer
from config.models import Config, Route, Service
from config.models import Endpoint as ConfiguredEndpoint
from gateway.core import data_service, reasons
from gateway.core.admission import admission_plan
from gateway.core.discovery import CORS, PATH, Discovery, discovery
from gateway.core.endpoints import as_configured, gateway_side, through_gateways
from gateway.core.gate import Endpoint
from gateway.core.plans import CompiledRouting, RoutePlan, ServicePlan
from gateway.core.policies import NO_POLICIES, balancing_of, policies_of
from gateway.core.region_plan import USE_COUNTRY, USE_PLACE, criteria_of, region_facts, steering_of, zones_by_country
from gateway.core.regions import (
    ExcludedRegion,
    RegionFacts,
)
from gateway.core.retries import RetryPolicy
from gateway.core.routes import Matcher, RouteTable, matcher_of
from gateway.core.shaping import NOTHING, shaping_of
from gateway.core.sticky_cookie import sticky_cookie


def compile_routing(
    config: Config,
    *,
    digest: str,
    now: float,
    upstream_tls: Mapping[str, object] = MappingProxyType({}),
    signer: Signer | None = None,
    workers: int = 1,
) -> CompiledRouting:
    """Compile a configuration. `now` is wall time, in seconds: residency agreements expire by the calendar.

    `upstream_tls`, by service, is only handed on to whoever connects. `workers` share the limits of the node.
    """
    regions = tuple(region_facts(region, local=config.node.region) for region in config.regions)
    local = config.node.region
    if local is None:
        raise ValueError("a configuration without node.region, which the loader always sets")
    policy = compile_policy(config)
    is_audited = config.residency.audit is not None and config.residency.audit.enabled
    routes = [_route_plan(config, route, order, regions, policy, now=now) for order, route in enumerate(config.routes)]
    routes = [
        _with_services(replace(plan, guards=_guards(plan, routes), is_audited=is_audited and bool(plan.data_types)))
        for plan in routes
    ]
    routes = [with_writes(plan, local=local) for plan in routes]
    told = discovery(config, policy, now=now)
    if told is not None:
        routes = [*_discovery_plans(told, regions), *routes]
    return CompiledRouting(
        config_digest=digest,
        node_id=config.node.id,
        region=local,
        location=next((region.location for region in regions if region.id == local), None),
        table=RouteTable(routes),
        services=_services(config, upstream_tls, signer, local=local, workers=workers),
        regions=regions,
        zones=zones_by_country(config),
        signer=signer,
        valid_until=policy.changes_after(now),
        takes_debug=any(token.role != "viewer" for token in config.admin.tokens),
        takes_hops=any(region.id == local and region.reach == "gateway" for region in config.regions),
    )


def _route_plan(
    config: Config,
    route: Route,
    order: int,
    regions: tuple[RegionFacts, ...],
    policy: ResidencyPolicy,
    *,
    now: float,
) -> RoutePlan:
    local = config.node.region or ""
    allowed: list[RegionFacts] = []
    excluded: list[ExcludedRegion] = []
    local_refusal: ExcludedRegion | None = None
    permits: dict[str, str] = {}
    for region in regions:
        refusal, permit = _residency(route, region.id, policy, local=local, now=now)
        if permit is not None and region.id != local:
            permits[region.id] = permit
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
        service=route.services[0] if route.services else "",
        data_types=tuple(route.data_types),
        strategy=route.region_routing.strategy,
        prefer_local=route.region_routing.prefer_local,
        may_move=route.region_routing.failover == "automatic",
        regions=tuple(allowed),
        excluded=tuple(excluded),
        local_refusal=local_refusal,
        admission=admission_plan(config, route),
        uses_country=route.region_routing.strategy in USE_COUNTRY,
        uses_place=route.region_routing.strategy in USE_PLACE,
        criteria=criteria_of(route),
        steering=steering_of(config, route),
        permits=permits,
        shaping=shaping_of(route),
        key=route.id,
    )


def _discovery_plans(told: Discovery, regions: Sequence[RegionFacts]) -> list[RoutePlan]:
    """Before all routes as written: these paths are ours (RFC 8615)."""
    paths = [PATH, told.health_path] if told.answers_health else [PATH]
    active = tuple(region for region in regions if region.is_active)
    is_placed = all(region.location is not None for region in active)
    return [
        RoutePlan(
            id="builtin:discovery",
            order=order - len(paths),
            matcher=matcher_of(listeners=(), hosts=(), path=path, methods=(), headers={}, query={}),
            service="",
            data_types=(),
            strategy="geo_proximity" if is_placed else "latency",
            prefer_local=False,
            may_move=True,
            regions=active,
            excluded=(),
            local_refusal=None,
            admission=None,
            uses_country=is_placed,
            uses_place=is_placed,
            shaping=replace(NOTHING, cors=CORS),
            key=f"builtin:discovery {path}",
            discovery=told,
        )
        for order, path in enumerate(paths)
    ]


def services_of(plan: RoutePlan) -> set[str]:
    """Every service that its requests, or copies of them, may go to."""
    services = {plan.service}
    if plan.shaping is not None and plan.shaping.split is not None:
        services.update(plan.shaping.split.services)
    if plan.shaping is not None and plan.shaping.mirror is not None:
        services.add(plan.shaping.mirror.service)
    return services - {""}


def _guards(plan: RoutePlan, routes: Sequence[RoutePlan]) -> tuple[Matcher, ...]:
    if plan.data_types:
        return ()
    ours = services_of(plan)
    bound = (each for each in routes if each.data_types and each.order < plan.order and ours & services_of(each))
    return tuple(each.matcher for each in bound)


def _with_services(plan: RoutePlan) -> RoutePlan:
    """The plan with one like it for each other service that its requests, or copies of them, may go to."""
    shaping = plan.shaping
    if shaping is None:
        return plan
    if shaping.mirror is not None:
        service = shaping.mirror.service
        copies = replace(plan, service=service, key=f"{plan.id} mirror {service}", shaping=None)
        plan = replace(plan, mirror=copies)
    if shaping.split is not None:
        services = shaping.split.services
        parts = tuple(replace(plan, service=service, key=f"{plan.id} split {service}") for service in services)
        plan = replace(plan, parts=parts)
    return plan


def with_writes(plan: RoutePlan, *, local: str) -> RoutePlan:
    """The plan with another one for requests that may write, where it has regions that take none."""
    replicas = frozenset(region.id for region in plan.regions if region.is_replica)
    if not replicas:
        return plan
    mirror = None if plan.mirror is None else with_writes(plan.mirror, local=local)
    passed_over = {name: ExcludedRegion(name, reasons.READ_REPLICA, None) for name in sorted(replicas)}
    # The data API is this region's own: nobody else can take the write in its place.
    refusal = passed_over.get(local) if plan.service == data_service.NAME else None
    writes = replace(
        plan,
        key=f"{plan.key} writes",
        regions=tuple(region for region in plan.regions if not region.is_replica),
        excluded=(*plan.excluded, *passed_over.values()),
        local_refusal=plan.local_refusal or refusal,
        mirror=None if mirror is None else mirror.writes,
        parts=(),
        replicas=replicas,
    )
    parts = tuple(with_writes(part, local=local) for part in plan.parts)
    return replace(plan, parts=parts, mirror=mirror, writes=writes)


def _residency(
    route: Route, region: str, policy: ResidencyPolicy, *, local: str, now: float
) -> tuple[ExcludedRegion | None, str | None]:
    """Why a region may not have the route's data; or by which rule, or rather by which agreement, it may."""
    permit: str | None = None
    for data_type in route.data_types:
        verdict = policy.may(data_type, source=local, destination=region, purpose="route", now=now)
        if not verdict.allowed:
            return ExcludedRegion(region, verdict.reason, verdict.rule), None
        if permit is None or verdict.reason == "transfer_agreement":
            permit = verdict.rule
    return None, permit


def _services(
    config: Config, upstream_tls: Mapping[str, object], signer: Signer | None, *, local: str, workers: int
) -> dict[str, ServicePlan]:
    behind = {region.id for region in config.regions if region.is_behind_gateway(local)}
    of_gateways = {name: upstream_tls.get(gateway_side(name)) for name in behind}
    plans = {}
    for service in config.services:
        gateways = tuple(through_gateways(service, config.regions, local, of_gateways)) if behind else ()
        direct = tuple(endpoint for endpoint in service.endpoints if endpoint.region not in behind)
        tls = upstream_tls.get(service.id)
        plans[service.id] = _service_plan(service, direct, gateways, tls, signer, workers=workers)
    if config.sync is not None:
        plans[data_service.NAME] = _data_service_plan(config, local=local)
    return plans


def _data_service_plan(config: Config, *, local: str) -> ServicePlan:
    return ServicePlan(
        id=data_service.NAME,
        balancing=data_service.BALANCING,
        policies=NO_POLICIES,
        endpoints=(data_service.data_endpoint(config, region=local),),
        names=(),
        max_connections=data_service.MAX_CONNECTIONS,
        connect_timeout_s=data_service.CONNECT_TIMEOUT_S,
        try_timeout_s=data_service.ANSWER_TIMEOUT_S,
        idle_timeout_s=data_service.ANSWER_TIMEOUT_S,
        keep_alive_s=data_service.KEEP_ALIVE_S,
        total_timeout_s=None,
        replay_bound=data_service.REPLAY_BOUND,
        hedge_after_s=None,
        hedges_at_p95=False,
        has_timers=False,
        retries=data_service.RETRIES,
        is_data=True,
    )


def _service_plan(
    service: Service,
    direct: Sequence[ConfiguredEndpoint],
    gateways: tuple[Endpoint, ...],
    tls: object,
    signer: Signer | None,
    *,
    workers: int,
) -> ServicePlan:
    timeouts, retries = service.timeouts, service.retries
    retry_on = {str(cause) for cause in retries.retry_on}
    hedge_after = retries.hedge_after
    return ServicePlan(
        id=service.id,
        balancing=balancing_of(service.load_balancing),
        policies=policies_of(service, workers=workers),
        endpoints=tuple(as_configured(service, one, tls) for one in direct if one.address is not None) + gateways,
        names=tuple(as_configured(service, one, tls) for one in direct if one.address is None),
        max_connections=service.concurrency.max_connections,
        connect_timeout_s=timeouts.connect,
        try_timeout_s=min(timeouts.response_head, retries.per_try_timeout or timeouts.response_head),
        idle_timeout_s=timeouts.idle,
        keep_alive_s=timeouts.keep_alive,
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
        overprovisioning=service.load_balancing.overprovisioning,
        beyond=tuple(_beyond(service, gateways)),
        sticky=sticky_cookie(service, signer),
    )


def _beyond(service: Service, gateways: Sequence[Endpoint]) -> Iterator[tuple[Endpoint, Endpoint]]:
    by_region = {gateway.region: gateway for gateway in gateways}
    for endpoint in service.endpoints:
        if endpoint.region in by_region and endpoint.address is not None:
            yield as_configured(service, endpoint, None), by_region[endpoint.region]
