"""What would be left if this were taken out? Sentences that refuse it; none when it may go.

    each residency rule       of its allowed regions, one that is active and not drained must stay
    each route                of the endpoints that may serve its data, one that is not down must stay
    failover.min_regions      so many regions that are not down must stay

Only what this very step would empty counts: a rule that nothing could serve before is not made worse by it. A person
may force it; the sentences then stand in the order and in the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from config.core.residency import ResidencyPolicy, compile_policy
from config.models import Config
from health.core.drain import Target

Ids = Collection[str]


def refusals(
    config: Config,
    *,
    target: Target,
    healthy: Mapping[str, bool],
    out: Callable[[str], bool],
    region_is_out: Callable[[str], bool],
    now: float,
) -> tuple[str, ...]:
    """`healthy` is by endpoint id (what is not down counts), `out` says whether an endpoint is taken out already.

    `region_is_out` says it of a whole region. `now` is wall time: agreements end by the calendar.
    """
    policy = compile_policy(config)
    serving = {endpoint for endpoint, is_healthy in healthy.items() if is_healthy and not out(endpoint)}
    left = {endpoint for endpoint in serving if not target.covers(endpoint)}
    found = list(_routes(config, policy, serving, left, now=now))
    if target.kind == "region":
        found += _rules(config, policy, target.id, region_is_out, now=now)
        found += _regions(config, target.id, serving, left)
    return tuple(dict.fromkeys(found))


def _routes(config: Config, policy: ResidencyPolicy, serving: Ids, left: Ids, *, now: float) -> list[str]:
    found = []
    for route in config.routes:
        allowed = _allowed(config, policy, tuple(route.data_types), now=now)
        for service in route.services:
            before = [one for one in serving if _serves(one, service, allowed)]
            after = [one for one in left if _serves(one, service, allowed)]
            if before and not after:
                found.append(_of_route(config, route.id, service, tuple(route.data_types), allowed))
    return found


def _of_route(config: Config, route: str, service: str, data_types: tuple[str, ...], allowed: Ids) -> str:
    every = {region.id for region in config.regions}
    binding = [name for name in data_types if set(allowed) != every]
    if not binding:
        return f"it would leave no endpoint of service {service} for route {route}"
    regions = ", ".join(sorted(allowed))
    return (
        f"it would leave no endpoint of service {service} for route {route}: "
        f"residency rule {', '.join(binding)} allows only {regions}"
    )


def _rules(
    config: Config, policy: ResidencyPolicy, region: str, region_is_out: Callable[[str], bool], *, now: float
) -> list[str]:
    found = []
    for rule in config.residency.rules:
        allowed = _allowed(config, policy, (rule.data_type,), now=now)
        usable = {one for one in allowed if not region_is_out(one)}
        if region in usable and usable == {region}:
            found.append(f"{region} is the last region that residency rule {rule.data_type} allows and that is in use")
    return found


def _regions(config: Config, region: str, serving: Ids, left: Ids) -> list[str]:
    minimum = 1 if config.failover is None else config.failover.min_regions
    before = {endpoint.split("/", 2)[1] for endpoint in serving}
    after = {endpoint.split("/", 2)[1] for endpoint in left}
    if region in before and len(after) < minimum:
        return [f"it would leave {len(after)} regions that are not down, expected at least {minimum}"]
    return []


def _allowed(config: Config, policy: ResidencyPolicy, data_types: tuple[str, ...], *, now: float) -> set[str]:
    return {
        region.id
        for region in config.regions
        if region.active
        and all(
            policy.may(name, source=region.id, destination=region.id, purpose="route", now=now).allowed
            for name in data_types
        )
    }


def _serves(endpoint: str, service: str, allowed: Ids) -> bool:
    own, region, _ = endpoint.split("/", 2)
    return own == service and region in allowed
