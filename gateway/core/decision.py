"""Where does this request go, and why?

    route ──> this node may hold its data? ──> regions in order ──> an endpoint, one after the other until one answers

`decide` takes everything that does not change between the attempts of one request; `next_endpoint` takes one attempt.
Both are called for live requests and by `explain`, so that the explanation cannot differ from the deed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.core import balancing, data_service, reasons
from gateway.core.book import EndpointBook
from gateway.core.compiling import services_of
from gateway.core.cors import preflight_of
from gateway.core.gate import Endpoint
from gateway.core.head import SAFE
from gateway.core.hops import Hop
from gateway.core.plans import RoutePlan
from gateway.core.problems import Answer, answer_to
from gateway.core.regions import RankedRegion
from gateway.core.replicas import OWN
from gateway.core.routes import Facts, Matcher, path_matches
from gateway.core.shaping import Shaping
from gateway.core.snapshot import Forward, RoutingSnapshot
from gateway.core.steering import Asking, Steering, SteeringRule, matching_rule, tokens_of, wish_of
from gateway.errors import ConnectFailed, ConnectionLost, UpstreamError
from health.core.session_token import SessionToken


@dataclass(frozen=True, slots=True)
class Refusal:
    """Answer it here; `route` is None where none matched."""

    route: RoutePlan | None
    answer: Answer
    is_preflight: bool = False
    """Answered before anybody is asked who they are, and complete as it is."""
    wait_s: float = 0.0
    """So long another decision may come of it, each time more is known of the data (gateway/core/replicas.py)."""


def decide(  # noqa: C901, PLR0911, PLR0912 - runs for every request: one question after the other, in their order
    snapshot: RoutingSnapshot,
    facts: Facts,
    listener: str,
    country: Callable[[], str | None],
    client_ip: str = "",
) -> Forward | Refusal:
    """Decide on one request's head alone. `country` is asked only where a route needs it."""
    if facts.method == "OPTIONS":
        preflight = _preflight(snapshot, facts, listener, country, client_ip)
        if preflight is not None:
            return preflight
    route = snapshot.routing.table.match(facts, listener)
    if route is None:
        return Refusal(None, _no_route(snapshot, facts, listener))
    if route.guards and (guard := _guard_of(route, facts)) is not None:
        return Refusal(None, _guarded(guard, facts, listener))
    if route.shaping is not None:
        if route.discovery is not None:
            ranked = snapshot.ranking(route, country() if route.uses_country else None, client=client_ip)
            return Refusal(route, route.discovery.answer(facts, snapshot, ranked, snapshot.routing.signer))
        shaped = _shape(snapshot, route, route.shaping, facts, client_ip)
        if isinstance(shaped, Refusal):
            return shaped
        route = shaped
    if route.writes is not None and facts.method not in SAFE:
        route = route.writes
    if route.steering is None:
        forward = snapshot.forward(route, country() if route.uses_country else None, client_ip)
    else:
        forward = _steer(snapshot, route, route.steering, facts, country, client_ip)
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
    is_consistent = route.steering is not None and route.steering.is_consistent
    if forward.spill is not None and (forward.service.sticky is None or is_consistent):
        forward = forward.spill.forward(client_ip)  # else a session goes first, see gateway/core/sticky.py
    if route.steering is not None and is_consistent:
        return _consistent(snapshot, forward, route.steering, facts)
    return forward


def decide_hop(snapshot: RoutingSnapshot, hop: Hop, facts: Facts) -> Forward | Refusal:
    """The same for a request that another region's gateway has decided on and forwards: here, or not at all."""
    routing = snapshot.routing
    route = next((each for each in routing.table.routes if each.id == hop.route), None)
    if route is None or hop.service not in services_of(route) or hop.service not in routing.services:
        detail = f"a request forwarded by {hop.source} for route {hop.route} and service {hop.service}, unknown here"
        return Refusal(route, hop_refused(detail, status=503))
    if route.writes is not None and facts.method not in SAFE:
        route = route.writes
    if route.local_refusal is not None:
        return Refusal(route, _refuse_locally(snapshot, route, (), facts))
    if all(region.id != routing.region for region in route.regions):
        detail = f"a request forwarded by {hop.source} to region {routing.region}, which does not serve it now"
        return Refusal(route, hop_refused(detail, status=503))
    return snapshot.forwarded_here(route, hop.service)


def hop_refused(detail: str, *, status: int = 403) -> Answer:
    """503 where the other gateway may try elsewhere; 403 where it is nobody's that we know."""
    retry_after_s = RETRY_AFTER_S if status == 503 else None
    return Answer(status, reasons.HOP_REFUSED, detail, "http_request_denied", retry_after_s=retry_after_s)


def _consistent(snapshot: RoutingSnapshot, forward: Forward, steering: Steering, facts: Facts) -> Forward | Refusal:
    """To regions that are as fresh as the client, as far as one of them can serve."""
    route = forward.route
    tokens = tokens_of(facts, steering, snapshot.routing.signer)
    if tokens is None:
        detail = "a session token that this mesh did not write, or too many of them"
        return Refusal(route, Answer(400, reasons.BAD_SESSION, detail, "http_request_error"))
    if not tokens and steering.bound_s is None:
        return forward
    behind = regions_behind(snapshot, route, (entry.region for entry in forward.regions), tokens)
    if not behind:
        return forward
    kept = frozenset(entry.region for entry in forward.regions if entry.region not in behind)
    able = {entry.region for entry in forward.regions if _can_serve(snapshot, forward, entry.region)}
    if kept & able or (kept and not able):
        return snapshot.narrowed(forward, kept)
    if not able:
        return Refusal(route, no_endpoint(forward))
    return Refusal(route, _behind(route, behind), wait_s=steering.wait_s)


def regions_behind(
    snapshot: RoutingSnapshot, route: RoutePlan, regions: Iterable[str], tokens: Sequence[SessionToken]
) -> dict[str, tuple[str, str]]:
    """Those that may not serve a client with these tokens: a slug and a sentence each."""
    steering = route.steering
    if steering is None or not steering.is_consistent:
        return {}
    is_data, found = route.service == data_service.NAME, {}
    for region in regions:
        why = snapshot.replicas.behind(
            OWN if is_data else region, tokens, bound_s=steering.bound_s, collections=steering.collections
        )
        if why is not None:
            found[region] = why
    return found


def _can_serve(snapshot: RoutingSnapshot, forward: Forward, region: str) -> bool:
    pool = snapshot.pools[forward.service.id].get(region)
    if pool is not None and pool.panic is not None and region in forward.panic:
        pool = pool.panic
    return pool is not None and bool(pool.tiers or pool.trials)


def _behind(route: RoutePlan, behind: Mapping[str, tuple[str, str]]) -> Answer:
    """503, with the reason that is nearest to the client: its own session, if that is what it is about."""
    is_session = any(slug == reasons.BEHIND_SESSION for slug, _ in behind.values())
    what = "what this session has seen" if is_session else "enough of what the others have"
    return Answer(
        status=503,
        reason=reasons.BEHIND_SESSION if is_session else reasons.TOO_FAR_BEHIND,
        detail=f"no region that may serve route {route.id} has yet applied {what}",
        proxy_status="destination_unavailable",
        retry_after_s=1,
    )


def _shape(
    snapshot: RoutingSnapshot, route: RoutePlan, shaping: Shaping, facts: Facts, client_ip: str
) -> RoutePlan | Refusal:
    """The route by the service that this client gets, or an answer from here."""
    if shaping.redirect is not None:
        return Refusal(route, shaping.redirect.answer(facts))
    too_large = shaping.refuses_size(route.id, facts.body_length)
    if too_large is not None:
        return Refusal(route, too_large)
    if shaping.split is not None:
        return route.parts[shaping.split.index(facts, client_ip, snapshot.routing.signer)]
    return route


def _preflight(
    snapshot: RoutingSnapshot, facts: Facts, listener: str, country: Callable[[], str | None], client_ip: str
) -> Refusal | None:
    """The answer to a page of another origin that asks before it calls; None where nobody would answer for it."""
    asked = preflight_of(facts)
    if asked is None:
        return None
    route = snapshot.routing.table.match(asked, listener)
    if route is None or route.shaping is None or route.shaping.cors is None:
        return None
    if route.admission is not None and route.admission.access is not None:
        denied = route.admission.access.refuses(client_ip, country)
        if denied is not None:
            return Refusal(route, denied)
    return Refusal(route, route.shaping.cors.preflight(asked), is_preflight=True)


def _steer(  # noqa: PLR0917 - what `decide` knows
    snapshot: RoutingSnapshot,
    route: RoutePlan,
    steering: Steering,
    facts: Facts,
    country: Callable[[], str | None],
    client_ip: str,
) -> Forward:
    rule: SteeringRule | None = None
    if steering.rules:

        def count(failed: SteeringRule) -> None:
            key = f"{route.id}/{failed.number}"
            snapshot.failed_conditions[key] = snapshot.failed_conditions.get(key, 0) + 1

        rule = matching_rule(steering.rules, Asking(facts, client_ip, country), count)
    wish = None
    if steering.preference is not None:
        wish = wish_of(facts, steering.preference, [region.id for region in route.regions])
    return snapshot.steered(route, country() if route.uses_country else None, rule, wish, client_ip)


def next_endpoint(  # noqa: C901 - runs for every request: no call that can be spared
    snapshot: RoutingSnapshot,
    forward: Forward,
    book: EndpointBook,
    *,
    tried: Collection[str],
    rng: random.Random,
    now: float,
    key: bytes = b"",
    algorithm: str | None = None,
    current: RoutingSnapshot | None = None,
    for_session: bool = False,
) -> Endpoint | None:
    """The endpoint for the next attempt, or None when no eligible one is left untried.

    `key` is what the service's hashing keeps together; `algorithm` is another one than the service's own. `current` is
    the snapshot in force where it may be another than the one that the request was decided by: what residency has
    forbidden since is not tried any more. `for_session`: none that is being drained, none as a last resort.
    """
    service = forward.service
    pools = snapshot.pools[service.id]
    how = algorithm or service.balancing.algorithm
    regions = forward.regions
    if current is not None and current is not snapshot and forward.route.data_types:
        regions = tuple(each for each in regions if may_still_go(current, forward.route.id, each.region))
    for ranked in regions:
        pool = pools.get(ranked.region)
        if pool is not None:
            if pool.panic is not None and ranked.region in forward.panic:
                pool = pool.panic
            if for_session and pool.newcomers is not None:
                pool = pool.newcomers
            endpoint = balancing.choose(pool, how, book, tried=tried, rng=rng, now=now, key=key)
            if endpoint is not None:
                return endpoint
    if tried or for_session:
        return None
    for ranked in regions:
        pool = pools.get(ranked.region)
        if pool is not None:
            endpoint = balancing.choose_last(pool, book, rng=rng, now=now)
            if endpoint is not None:
                return endpoint
    return None


RETRY_AFTER_S = 5
"""A probe interval: sooner, nothing can have changed."""


def failed_everywhere(forward: Forward, error: UpstreamError) -> Answer:
    """The answer when the last attempt that may be made has failed: with the rule that forbids to try elsewhere."""
    if forward.service.is_data and isinstance(error, ConnectFailed | ConnectionLost):
        return data_service.unavailable(error)
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


def _guard_of(route: RoutePlan, facts: Facts) -> Matcher | None:
    """The bound route before this one that covers the path."""
    return next((guard for guard in route.guards if path_matches(guard.path, facts.path)), None)


def _guarded(guard: Matcher, facts: Facts, listener: str) -> Answer:
    """Bound data lies behind this path: by another method or host it must not come out unbound."""
    if guard.refuses(facts, listener) == "method":
        return Answer(
            status=405,
            reason=reasons.METHOD_NOT_ALLOWED,
            detail=f"a route with data types has this path, but not with method {facts.method}",
            proxy_status="http_request_error",
            allow=tuple(sorted(guard.methods)),
        )
    return Answer(
        status=404,
        reason=reasons.BOUND_PATH,
        detail="a route with data types has this path, and does not match otherwise",
        proxy_status="destination_not_found",
    )


def may_still_go(snapshot: RoutingSnapshot | None, route_id: str, region: str) -> bool:
    """Whether a request decided by an older snapshot may still be tried in a region, by what holds now."""
    if snapshot is None:
        return True
    route = next((each for each in snapshot.routing.table.routes if each.id == route_id), None)
    return route is None or all(excluded.region != region or excluded.rule is None for excluded in route.excluded)


def _refuse_locally(
    snapshot: RoutingSnapshot, route: RoutePlan, ranked: tuple[RankedRegion, ...], facts: Facts
) -> Answer:
    """This node stands where the data may not be: not even its body may be read here."""
    refusal = route.local_refusal
    is_replica = refusal is not None and refusal.reason == reasons.READ_REPLICA
    gateways = {region.id: region.gateway for region in snapshot.routing.regions}
    elsewhere = next((gateways[entry.region] for entry in ranked if gateways[entry.region]), None)
    detail = f"region {snapshot.routing.region} may not hold data of type {', '.join(route.data_types)}"
    if is_replica:
        detail = f"region {snapshot.routing.region} is a read replica: its data takes no writes here"
    return Answer(
        status=308 if elsewhere else 421,
        reason=reasons.READ_REPLICA if is_replica else reasons.REGION_MAY_NOT_HOLD,
        detail=detail + (f"; ask {elsewhere}" if elsewhere else ""),
        proxy_status="" if elsewhere else "http_request_denied",
        rule=refusal.rule if refusal else None,
        location=elsewhere.rstrip("/").encode() + facts.path + facts.query if elsewhere else None,
    )
