"""Why would this request go where it goes? The same functions that decide live requests, with everything they saw.

The shape is API.md's; it is what `tidegate explain --json` and `POST /v1/explain` print.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.core import reasons
from gateway.core.admission import AdmissionPlan
from gateway.core.book import EndpointBook
from gateway.core.decision import Refusal, decide, next_endpoint, no_endpoint, regions_behind
from gateway.core.gate import Endpoint, RegionPool
from gateway.core.geography import Point
from gateway.core.hash_key import key_of
from gateway.core.head import RequestHead, parse_request_head
from gateway.core.mirroring import endpoint_for_copy
from gateway.core.plans import RoutePlan
from gateway.core.problems import Answer
from gateway.core.regions import RankedRegion
from gateway.core.senders import Imagined, Senders, sender_of
from gateway.core.shaping_explained import explained
from gateway.core.snapshot import Forward, RoutingSnapshot
from gateway.core.standing import standing
from gateway.core.steering import Steering, tokens_of
from gateway.core.sticky import Stay, World

ASSUMED: Final = "every endpoint is assumed healthy: this is the configuration's answer, not a node's"
_FIRST_OF_EQUALS: Final = 0
"""An explanation draws like the first request would, always the same."""


CONSISTENCY: Final = frozenset((reasons.BEHIND_SESSION, reasons.TOO_FAR_BEHIND, reasons.BAD_SESSION))


Admission = Callable[[AdmissionPlan, RequestHead, Imagined], tuple[list[dict[str, str]], Answer | None]]


def explain(
    snapshot: RoutingSnapshot,
    *,
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]],
    client_ip: str,
    country: Callable[[str], str | None],
    listener: str | None = None,
    senders: Senders | None = None,
    assumed_healthy: bool = False,
    book: EndpointBook | None = None,
    admission: Admission | None = None,
    held: Mapping[str, str] = MappingProxyType({}),
    notes: Mapping[str, str] = MappingProxyType({}),
    wall: float = 0.0,
) -> dict[str, Any]:
    """Explain one request, real or imagined. `country` finds the country of an address; `wall` is Unix time.

    `admission` says what the route asks of it first (gateway/admission/door.py); `held` why every data plane holds an
    endpoint back now, `notes` what else they know of one.

    `senders` judges who is behind `client_ip`, as a listener does; without it that is the client, found already.
    `url` is absolute, or a path with a Host among `headers`. Raises `RequestRefused` where a live one would be.
    """
    head = _head(method, url, headers)
    where = listener or _any_listener(snapshot)
    sender = sender_of(head, client_ip, where, country, senders)
    client_ip, client_country = sender.client_ip, sender.country
    outcome = decide(snapshot, head, where, lambda: client_country, client_ip)
    route = outcome.route
    point = snapshot.point(route, client_country, client_ip) if route is not None else None
    explanation: dict[str, Any] = {
        "route": route.id if route else None,
        "skipped": _skipped(snapshot, head, where, route),
        "candidates": [],
        "policies": _policies(outcome, client_country, point),
        "client": {"ip": client_ip, "country": client_country},
        "snapshot": {"version": snapshot.version, "node": snapshot.routing.node_id, "region": snapshot.routing.region},
    }
    if sender.country_by is not None:
        explanation["client"]["country_by"] = sender.country_by
    if point is not None:
        explanation["client"]["near"] = [point.latitude, point.longitude]
    if assumed_healthy:
        explanation["assumed"] = ASSUMED
    is_preflight = isinstance(outcome, Refusal) and outcome.is_preflight
    if route is not None and route.admission is not None and admission is not None and not is_preflight:
        policies, refusal = admission(route.admission, head, Imagined(client_ip, client_country))
        explanation["policies"][:0] = policies
        if refusal is not None:
            explanation["decision"] = _refused(refusal)
            return explanation
    if route is not None and route.shaping is not None:
        service = outcome.service.id if isinstance(outcome, Forward) else route.service
        copy_to = _copy_to(snapshot, outcome, client_country, client_ip, book, held)
        explanation["policies"] += explained(route.shaping, head, service, snapshot.routing.signer, copy_to)
    if isinstance(outcome, Forward):
        rng = random.Random(_FIRST_OF_EQUALS)  # noqa: S311 - a draw among equals, not a secret
        world = World(snapshot, None, book or EndpointBook(), rng, 0.0, held.keys())
        forward, chosen, explanation["decision"], session = _place(outcome, world, head, client_ip, wall)
        explanation["policies"] += session
        candidates = _candidates(snapshot, forward, chosen, _behind(snapshot, outcome.route, head))
        explanation["candidates"] = [_with_what_is_known(candidate, held, notes) for candidate in candidates]
    else:
        explanation["decision"] = _refused(outcome.answer)
        explanation["candidates"] = _turned_away(snapshot, outcome.route, head)
    return explanation


def _copy_to(  # noqa: PLR0917 - what is known of the client
    snapshot: RoutingSnapshot,
    outcome: Forward | Refusal,
    country: str | None,
    client_ip: str,
    book: EndpointBook | None,
    held: Mapping[str, str],
) -> str | None:
    """The endpoint that a mirror's copy would go to."""
    if not isinstance(outcome, Forward) or outcome.route.mirror is None:
        return None
    endpoint = endpoint_for_copy(
        snapshot,
        outcome.route.mirror,
        book or EndpointBook(),
        country=country,
        client=client_ip,
        rng=random.Random(_FIRST_OF_EQUALS),  # noqa: S311 - as above
        now=0.0,
        held=held.keys(),
    )
    return endpoint.id if endpoint is not None else None


def _place(
    forward: Forward, world: World, head: RequestHead, client_ip: str, wall: float
) -> tuple[Forward, Endpoint | None, dict[str, Any], list[dict[str, str]]]:
    """With its session's region first, its endpoint, the decision, and what is said of the session."""
    hash_on = forward.service.balancing.hash_on
    key = key_of(hash_on, head, client_ip) if hash_on else b""
    cookie = forward.service.sticky
    if cookie is None:
        endpoint = next_endpoint(
            world.snapshot, forward, world.book, tried=world.held, rng=world.rng, now=world.now, key=key
        )
        return forward, endpoint, _forwarded(forward, endpoint) if endpoint else _refused(no_endpoint(forward)), []
    stay = Stay(cookie, head, wall=wall)
    forward = stay.settle(forward, world, client_ip)
    endpoint = stay.next_endpoint(forward, world, tried=(), key=key)
    answer = no_endpoint(forward) if stay.refusal(forward) is None else stay.refusal(forward)
    policy = {"name": "sticky_session", "outcome": stay.outcome, "reason": stay.why or f"its cookie {cookie.name}"}
    if not cookie.is_readable and stay.why != reasons.COOKIE_MISSING:
        policy["reason"] = "its cookie cannot be read without the node's keys"
    decision = _forwarded(forward, endpoint) if endpoint is not None else _refused(answer or no_endpoint(forward))
    if endpoint is not None and stay.is_kept:
        decision["reason"] = stay.outcome
    return forward, endpoint, decision, [policy]


def _with_what_is_known(candidate: dict[str, Any], held: Mapping[str, str], notes: Mapping[str, str]) -> dict[str, Any]:
    endpoint = candidate["endpoint"]
    if endpoint in held:
        candidate["reason"] = held[endpoint]
    elif endpoint in notes:
        candidate["reason"] += f"; {notes[endpoint]}"
    return candidate


def passed_over(
    snapshot: RoutingSnapshot, forward: Forward, book: EndpointBook, now: float
) -> tuple[tuple[str, str, str], ...]:
    """Every candidate that could not serve, as (region, endpoint or "", reason): the log's line for a 503."""
    held = {
        each.endpoint.id: f"{each.reason}: {each.detail}"
        for pool in snapshot.pools[forward.service.id].values()
        for each in standing(pool, book, now).held_back
    }
    over = [
        (entry["region"], entry["endpoint"] or "", held.get(entry["endpoint"], entry["reason"]))
        for entry in _candidates(snapshot, forward, None, {})
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


def _policies(outcome: Forward | Refusal, country: str | None, point: Point | None) -> list[dict[str, str]]:
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
        agreed = [f"{region} by {permit}" for region, permit in route.permits.items() if permit not in route.data_types]
        if agreed:
            residency["reason"] += f" ({', '.join(agreed)})"
    policies = [
        residency,
        {"name": "region_routing", "outcome": route.strategy, "reason": _why_order(route, country, point)},
    ]
    if route.steering is not None:
        policies += _steering(outcome, route.steering)
    if isinstance(outcome, Forward):
        retries = outcome.service.retries
        policies.append(
            {
                "name": "load_balancing",
                "outcome": outcome.service.balancing.algorithm,
                "reason": f"among the endpoints of {outcome.service.id} in the chosen region",
            }
        )
        plan, limits = outcome.service, outcome.service.policies
        policies.append(
            {
                "name": "concurrency",
                "outcome": f"up to {limits.max_requests} requests over {plan.max_connections} connections",
                "reason": f"then {limits.max_pending} may wait, for {plan.connect_timeout_s:g} s at most"
                + ("; fewer while answers take long" if limits.adaptive else ""),
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


def _steering(outcome: Forward | Refusal, steering: Steering) -> list[dict[str, str]]:
    """Which rule or wish has moved it."""
    moved = (
        {ranked.reason: ranked.region for ranked in reversed(outcome.regions)} if isinstance(outcome, Forward) else {}
    )
    policies = []
    if steering.is_consistent:
        bound = "" if steering.bound_s is None else f", at most {steering.bound_s:g} s behind the others"
        reason = f"only regions that have applied what the session has seen{bound}; waits {steering.wait_s:g} s for one"
        is_refused = isinstance(outcome, Refusal) and outcome.answer.reason in CONSISTENCY
        policies.append({"name": "consistency", "outcome": "refused" if is_refused else "passed", "reason": reason})
    for name, is_used, reason in (
        ("region_rules", bool(steering.rules), reasons.RULE_MATCHED),
        ("preference_header", steering.preference is not None, reasons.CLIENT_PREFERENCE),
    ):
        if is_used:
            hit = reason in moved
            policies.append(
                {"name": name, "outcome": moved[reason] if hit else "none", "reason": reason if hit else "no match"}
            )
    return policies


def _why_order(route: RoutePlan, country: str | None, point: Point | None) -> str:
    where = country if point is None else f"{point.latitude:.0f}, {point.longitude:.0f} in {country}"
    why = {
        "failover": "by configured priority",
        "latency": "by this node's measured round trips",
        "geo_proximity": f"by distance from {where}" if country else "by distance from this node: client unknown",
        "weighted": "by this client's share among the region weights",
        "compliance": f"regions of the zones of {country} first" if country else "by priority: client unknown",
        "multi_criteria": "by the weighted sum of latency, distance, capacity, cost and preference",
    }[route.strategy]
    is_local_first = route.prefer_local and route.strategy != "weighted"
    return why + (", this node's own region first" if is_local_first else "")


def _behind(snapshot: RoutingSnapshot, route: RoutePlan, head: RequestHead) -> dict[str, tuple[str, str]]:
    """Regions that are not as fresh as the client, or as the route asks."""
    if route.steering is None or not route.steering.is_consistent:
        return {}
    tokens = tokens_of(head, route.steering, snapshot.routing.signer)
    return regions_behind(snapshot, route, (region.id for region in route.regions), tokens or ())


def _turned_away(snapshot: RoutingSnapshot, route: RoutePlan | None, head: RequestHead) -> list[dict[str, Any]]:
    """Why each region was none."""
    return [] if route is None else _late(_behind(snapshot, route, head)) + _excluded(route)


def _late(behind: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    return [_candidate(region, None, None, f"{slug}: {detail}") for region, (slug, detail) in behind.items()]


def _candidates(
    snapshot: RoutingSnapshot, forward: Forward, chosen: Endpoint | None, behind: Mapping[str, tuple[str, str]]
) -> list[dict[str, Any]]:
    candidates: list[dict[str, Any]] = []
    pools = snapshot.pools[forward.service.id]
    for ranked in forward.regions:
        pool = pools.get(ranked.region)
        if pool is None:
            candidates.append(_candidate(ranked.region, None, ranked.score, reasons.NO_ENDPOINT_IN_REGION))
        else:
            in_panic = pool.panic if ranked.region in forward.panic else None
            candidates += _endpoints(in_panic or pool, ranked, chosen)
    named = {ranked.region for ranked in forward.regions}
    late = {region: why for region, why in behind.items() if region not in named}
    for region in forward.route.regions:
        if region.id not in named and region.id not in late:
            candidates.append(_candidate(region.id, None, None, "failover_manual"))
    return candidates + _late(late) + _excluded(forward.route)


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
            if endpoint.is_gateway:
                reason += "; through the region's gateway, which chooses among the endpoints there"
            if endpoint.health == "down":
                reason += f"; {reasons.PANIC}: {endpoint.health_reason}, but too few others are healthy"
            if endpoint.operator.share < 1.0 or endpoint.operator.is_draining:
                reason += f"; draining: {endpoint.operator.share:.0%} of its weight"
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
