"""Where does this request go, and why?

    route ──> this node may hold its data? ──> regions in order ──> an endpoint, one after the other until one answers

`decide` takes everything that does not change between the attempts of one request; `next_endpoint` takes one attempt.
Both are called for live requests and by `explain`, so that the explanation cannot differ from the deed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from gateway.core import balancing, reasons
from gateway.core.book import EndpointBook
from gateway.core.gate import Endpoint
from gateway.core.problems import Answer, answer_to
from gateway.core.regions import RankedRegion
from gateway.core.routes import Facts
from gateway.core.snapshot import Forward, RoutePlan, RoutingSnapshot
from gateway.errors import UpstreamError


@dataclass(frozen=True, slots=True)
class Refusal:
    """Answer it here; `route` is None where none matched."""

    route: RoutePlan | None
    answer: Answer


def decide(
    snapshot: RoutingSnapshot, facts: Facts, listener: str, country: Callable[[], str | None]
) -> Forward | Refusal:
    """Decide on one request's head alone. `country` is asked only where a route needs it."""
    route = snapshot.routing.table.match(facts, listener)
    if route is None:
        return Refusal(None, _no_route(snapshot, facts, listener))
    forward = snapshot.forward(route, country() if route.strategy == "geo_proximity" else None)
    if route.local_refusal is not None:
        return Refusal(route, _refuse_locally(snapshot, route, forward.regions, facts))
    if not forward.regions:
        rule = next((excluded.rule for excluded in route.excluded if excluded.rule), None)
        return Refusal(
            route,
            Answer(
                status=503,
                reason=reasons.NO_REGION_ALLOWED,
                detail=f"route {route.id} has no region that may serve it",
                proxy_status="destination_unavailable",
                rule=rule,
                retry_after_s=RETRY_AFTER_S,
            ),
        )
    return forward


def next_endpoint(
    snapshot: RoutingSnapshot,
    forward: Forward,
    book: EndpointBook,
    *,
    tried: Collection[str],
    rng: random.Random,
    now: float,
) -> Endpoint | None:
    """The endpoint for the next attempt, or None when no eligible one is left untried."""
    service = forward.service
    pools = snapshot.pools[service.id]
    for ranked in forward.regions:
        pool = pools.get(ranked.region)
        if pool is not None:
            endpoint = balancing.choose(pool, service.algorithm, book, tried=tried, rng=rng, now=now)
            if endpoint is not None:
                return endpoint
    return None


RETRY_AFTER_S = 5
"""A probe interval: sooner, nothing can have changed."""


def failed_everywhere(forward: Forward, error: UpstreamError) -> Answer:
    """The answer when the last attempt that may be made has failed: with the rule that forbids to try elsewhere."""
    rules = _binding_rules(forward.route)
    return replace(answer_to(error), rule=rules[0] if rules else None)


def _binding_rules(route: RoutePlan) -> list[str]:
    return [excluded.rule for excluded in route.excluded if excluded.rule]


def no_endpoint(forward: Forward) -> Answer:
    """The answer when `next_endpoint` has nothing to offer before any attempt was made."""
    route = forward.route
    rules = _binding_rules(route)
    detail = f"no healthy endpoint of service {route.service} in a region that may serve route {route.id}"
    if rules:
        detail += f"; residency rule {rules[0]} allows no other region"
    return Answer(
        status=503,
        reason=reasons.NO_HEALTHY_ENDPOINT,
        detail=detail,
        proxy_status="destination_unavailable",
        rule=rules[0] if rules else None,
        retry_after_s=RETRY_AFTER_S,
    )


def _no_route(snapshot: RoutingSnapshot, facts: Facts, listener: str) -> Answer:
    allow = snapshot.routing.table.methods_allowed(facts, listener)
    if allow:
        return Answer(
            status=405,
            reason=reasons.METHOD_NOT_ALLOWED,
            detail=f"a route matches this path, but not with method {facts.method}",
            proxy_status="http_request_error",
            allow=allow,
        )
    return Answer(
        status=404,
        reason=reasons.NO_ROUTE,
        detail="no route matches this host and path",
        proxy_status="destination_not_found",
    )


def _refuse_locally(
    snapshot: RoutingSnapshot, route: RoutePlan, ranked: tuple[RankedRegion, ...], facts: Facts
) -> Answer:
    """This node stands where the data may not be: not even its body may be read here."""
    refusal = route.local_refusal
    gateways = {region.id: region.gateway for region in snapshot.routing.regions}
    elsewhere = next((gateways[entry.region] for entry in ranked if gateways[entry.region]), None)
    detail = f"region {snapshot.routing.region} may not hold data of type {', '.join(route.data_types)}"
    return Answer(
        status=308 if elsewhere else 421,
        reason=reasons.REGION_MAY_NOT_HOLD,
        detail=detail + (f"; ask {elsewhere}" if elsewhere else ""),
        proxy_status="" if elsewhere else "http_request_denied",
        rule=refusal.rule if refusal else None,
        location=elsewhere.rstrip("/").encode() + facts.path + facts.query if elsewhere else None,
    )
