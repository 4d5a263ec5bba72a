"""How does a route choose among its regions, as configured? What the file says, made ready for every request."""

from __future__ import annotations

from config.core.conditions import compile_condition
from config.models import Config, Region, Route
from gateway.core.geography import Point
from gateway.core.regions import Criteria, RegionFacts
from gateway.core.steering import Steering, SteeringRule

USE_COUNTRY = frozenset(("geo_proximity", "compliance", "multi_criteria"))
"""Strategies whose order depends on where the client is."""
USE_PLACE = USE_COUNTRY - {"compliance"}
"""Those that go by distance."""


def region_facts(region: Region, *, local: str | None) -> RegionFacts:
    return RegionFacts(
        id=region.id,
        priority=region.priority,
        is_active=region.active,
        location=Point(region.location.latitude, region.location.longitude) if region.location else None,
        gateway=region.gateway,
        cost=region.cost,
        zones=frozenset(region.compliance_zones),
        is_through_gateway=region.reach == "gateway" and region.id != local,
        is_replica=region.role == "read_replica",
    )


def zones_by_country(config: Config) -> dict[str, frozenset[str]]:
    """Which compliance zones a client of each country belongs to."""
    by_country: dict[str, set[str]] = {}
    for name, zone in config.residency.zones.items():
        for country in zone.countries:
            by_country.setdefault(str(country), set()).add(name)
    return {country: frozenset(zones) for country, zones in by_country.items()}


def criteria_of(route: Route) -> Criteria | None:
    """For `multi_criteria`."""
    weights = route.region_routing.weights
    if route.region_routing.strategy != "multi_criteria":
        return None
    return Criteria(
        latency=weights.latency,
        user_location=weights.user_location,
        capacity=weights.capacity,
        cost=weights.cost,
        user_preference=weights.user_preference,
    )


def steering_of(config: Config, route: Route) -> Steering | None:
    """None for a route that no single request moves. Raises `ConditionRefused`."""
    routing, consistency = route.region_routing, route.consistency
    is_weighted = routing.strategy == "weighted"
    if not (is_weighted or routing.rules or routing.preference_header or consistency.kind != "none"):
        return None
    numbered = sorted(enumerate(routing.rules), key=lambda entry: (entry[1].priority, entry[0]))
    return Steering(
        rules=tuple(SteeringRule(number, compile_condition(rule.when), rule.regions) for number, rule in numbered),
        preference=routing.preference_header.lower().encode() if routing.preference_header else None,
        weights=dict(routing.region_weights) if is_weighted else None,
        is_consistent=consistency.kind != "none",
        bound_s=consistency.bound,
        wait_s=route.consistency_wait,
        classes=frozenset(route.data_types) if route.data_types else None,
        collections=_collections(config, route),
    )


def _collections(config: Config, route: Route) -> frozenset[str] | None:
    """Those whose data the route carries; None where it does not say."""
    if not route.data_types or config.sync is None:
        return None
    return frozenset(one.name for one in config.sync.collections if one.data_type in route.data_types)
