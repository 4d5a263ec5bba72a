"""Why would this request go where it goes? The same functions that decide live requests, with everything they saw.

The shape is API.md's; it is what `tidegate explain --json` and `POST /v1/explain` print.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.core import reasons
from gateway.core.book import EndpointBook
from gateway.core.decision import Refusal, decide, next_endpoint, no_endpoint
from gateway.core.gate import Endpoint, RegionPool
from gateway.core.head import RequestHead, parse_request_head
from gateway.core.problems import Answer
from gateway.core.regions import RankedRegion
from gateway.core.snapshot import Forward, RoutePlan, RoutingSnapshot

_FIRST_OF_EQUALS: Final = 0
"""An explanation draws like the first request would, always the same."""


def explain(
    snapshot: RoutingSnapshot,
    *,
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]],
    client_ip: str,
    country: Callable[[str], str | None],
    listener: str | None = None,
    assumed_healthy: bool = False,
    book: EndpointBook | None = None,
) -> dict[str, Any]:
    """Explain one request, real or imagined. `country` finds the country of an address.

    `url` is absolute, or a path with a Host among `headers`. Raises `RequestRefused` where a live one would be.
    """
    head = _head(method, url, headers)
    where = listener or _any_listener(snapshot)
    client_country = country(client_ip)
    outcome = decide(snapshot, head, where, lambda: client_country)
    route = outcome.route
    explanation: dict[str, Any] = {
        "route": route.id if route else None,
        "skipped": _skipped(snapshot, head, where, route),
        "candidates": [],
        "policies": _policies(outcome, client_country),
        "client": {"ip": client_ip, "country": client_country},
        "snapshot": {"version": snapshot.version, "node": snapshot.routing.node_id, "region": snapshot.routing.region},
    }
    if assumed_healthy:
        explanation["assumed"] = "every endpoint is assumed healthy: this is the configuration's answer, not a node's"
    chosen: Endpoint | None = None
    if isinstance(outcome, Forward):
        chosen = next_endpoint(
            snapshot,
            outcome,
            book or EndpointBook(),
            tried=(),
            rng=random.Random(_FIRST_OF_EQUALS),  # noqa: S311 - a draw among equals, not a secret
            now=0.0,
        )
        explanation["candidates"] = _candidates(snapshot, outcome, chosen)
        explanation["decision"] = _forwarded(outcome, chosen) if chosen else _refused(no_endpoint(outcome))
    else:
        explanation["decision"] = _refused(outcome.answer)
        explanation["candidates"] = _excluded(outcome.route) if outcome.route is not None else []
    return explanation


def passed_over(snapshot: RoutingSnapshot, forward: Forward) -> tuple[tuple[str, str, str], ...]:
    """Every candidate that could not serve, as (region, endpoint or "", reason): the log's line for a 503."""
    over = [
        (entry["region"], entry["endpoint"] or "", entry["reason"]) for entry in _candidates(snapshot, forward, None)
    ]
    return tuple(over)


def _head(method: str, url: str, headers: Sequence[tuple[str, str]]) -> RequestHead:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1"]
    if parts.netloc:
        lines.append(f"Host: {parts.netloc}")
    lines += [f"{name}: {value}" for name, value in headers if not (parts.netloc and name.lower() == "host")]
    raw = "\r\n".join((*lines, "", "")).encode()
    return parse_request_head(raw)


def _any_listener(snapshot: RoutingSnapshot) -> str:
    """Unless told otherwise, explain for the first listener that a route names: most have only one."""
    named = (name for route in snapshot.routing.table.routes for name in sorted(route.matcher.listeners))
    return next(named, "public")


def _skipped(
    snapshot: RoutingSnapshot, head: RequestHead, listener: str, route: RoutePlan | None
) -> list[dict[str, str]]:
    skipped = []
    for earlier in snapshot.routing.table.routes:
        if route is not None and earlier.order >= route.order:
            break
        skipped.append({"route": earlier.id, "reason": f"{earlier.matcher.refuses(head, listener)} does not match"})
    return skipped


def _policies(outcome: Forward | Refusal, country: str | None) -> list[dict[str, str]]:
    route = outcome.route
    if route is None:
        return []
    if not route.data_types:
        residency = {"name": "residency", "outcome": "unrestricted", "reason": "the route names no data types"}
    elif route.local_refusal is not None:
        residency = {"name": "residency", "outcome": "refused", "reason": route.local_refusal.reason}
    else:
        allowed = ", ".join(region.id for region in route.regions)
        residency = {"name": "residency", "outcome": "restricted", "reason": f"only {allowed or 'no region'}"}
    policies = [residency, {"name": "region_routing", "outcome": route.strategy, "reason": _why_order(route, country)}]
    if isinstance(outcome, Forward):
        retries = outcome.service.retries
        policies.append(
            {
                "name": "load_balancing",
                "outcome": outcome.service.algorithm,
                "reason": f"among the endpoints of {outcome.service.id} in the chosen region",
            }
        )
        policies.append(
            {
                "name": "retries",
                "outcome": f"up to {retries.max_retries}",
                "reason": f"within {retries.budget_share:.0%} of requests, at least {retries.min_retries_per_s:g}/s",
            }
        )
    return policies


def _why_order(route: RoutePlan, country: str | None) -> str:
    why = {
        "failover": "by configured priority",
        "latency": "by this node's measured round trips",
        "geo_proximity": f"by distance from {country}" if country else "by distance from this node: client unknown",
    }[route.strategy]
    return why + (", this node's own region first" if route.prefer_local else "")


def _candidates(snapshot: RoutingSnapshot, forward: Forward, chosen: Endpoint | None) -> list[dict[str, Any]]:
    candidates: list[dict[str, Any]] = []
    pools = snapshot.pools[forward.service.id]
    for ranked in forward.regions:
        pool = pools.get(ranked.region)
        if pool is None:
            candidates.append(_candidate(ranked.region, None, ranked.score, reasons.NO_ENDPOINT_IN_REGION))
        else:
            candidates += _endpoints(pool, ranked, chosen)
    named = {ranked.region for ranked in forward.regions}
    for region in forward.route.regions:
        if region.id not in named:
            candidates.append(_candidate(region.id, None, None, "failover_manual"))
    return candidates + _excluded(forward.route)


def _endpoints(pool: RegionPool, ranked: RankedRegion, chosen: Endpoint | None) -> list[dict[str, Any]]:
    candidates = []
    for index, tier in enumerate(pool.tiers):
        for endpoint in tier.endpoints:
            if endpoint is chosen:
                reason = f"{reasons.CHOSEN}: {ranked.reason}"
            elif chosen is not None and chosen.region != ranked.region:
                reason = f"{reasons.LATER_IN_ORDER}: {ranked.reason}"
            elif index:
                reason = reasons.BACKUP if endpoint.is_backup else reasons.LOWER_PRIORITY
            else:
                reason = reasons.ELIGIBLE
            candidates.append(_candidate(ranked.region, endpoint.id, ranked.score, reason, chosen=endpoint is chosen))
    candidates += [
        _candidate(ranked.region, endpoint.id, ranked.score, reasons.TRIAL, chosen=endpoint is chosen)
        for endpoint in pool.trials
    ]
    candidates += [
        _candidate(ranked.region, over.endpoint.id, ranked.score, f"{over.reason}: {over.detail}")
        for over in pool.passed_over
    ]
    return candidates


def _excluded(route: RoutePlan) -> list[dict[str, Any]]:
    return [
        _candidate(excluded.region, None, None, excluded.reason + (f" (rule {excluded.rule})" if excluded.rule else ""))
        for excluded in route.excluded
    ]


def _candidate(
    region: str, endpoint: str | None, score: float | None, reason: str, *, chosen: bool = False
) -> dict[str, Any]:
    return {"region": region, "endpoint": endpoint, "score": score, "chosen": chosen, "reason": reason}


def _refused(answer: Answer) -> dict[str, Any]:
    decision: dict[str, Any] = {
        "region": None,
        "endpoint": None,
        "status": answer.status,
        "reason": answer.reason,
        "detail": answer.detail,
    }
    if answer.rule is not None:
        decision["rule"] = answer.rule
    return decision


def _forwarded(forward: Forward, chosen: Endpoint) -> dict[str, Any]:
    reason = next(ranked.reason for ranked in forward.regions if ranked.region == chosen.region)
    return {"region": chosen.region, "endpoint": chosen.id, "status": None, "reason": reason}
