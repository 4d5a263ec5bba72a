"""What the file says about a route's regions, made ready."""

from __future__ import annotations

from gateway.core.region_plan import criteria_of, region_facts, steering_of, zones_by_country
from tests.harness.routing import REGIONS, config, routed


def test_most_routes_have_nothing_that_moves_a_single_request() -> None:
    made = config(routed(strategy="latency"))
    (route,) = made.routes
    assert steering_of(made, route) is None
    assert criteria_of(route) is None


def test_rules_go_by_priority_then_as_written() -> None:
    rules = [
        {"when": "client.country == 'A'", "regions": ["eu"], "priority": 5},
        {"when": "client.country == 'B'", "regions": ["us"], "priority": 1},
        {"when": "client.country == 'C'", "regions": ["us"], "priority": 1},
    ]
    made = config(routed(region_routing={"strategy": "failover", "rules": rules}))
    steering = steering_of(made, made.routes[0])
    assert steering is not None
    assert [rule.number for rule in steering.rules] == [1, 2, 0]


SYNC = {
    "collections": [
        {"name": name, "data_type": data_type, "conflict": "last_write_wins"}
        for name, data_type in (("people", "profile"), ("avatars", "profile"), ("notes", "note"))
    ]
}


def test_consistency_is_about_the_data_types_of_the_route_or_about_everything() -> None:
    bound = config(routed(consistency="bounded(5s)", consistency_wait="1s", data_types=["profile"]), sync=SYNC)
    steering = steering_of(bound, bound.routes[0])
    assert steering is not None
    assert (steering.is_consistent, steering.bound_s, steering.wait_s) == (True, 5.0, 1.0)
    assert steering.classes == frozenset({"profile"})
    assert steering.collections == frozenset({"people", "avatars"})
    free = config(routed(consistency="read_your_writes"), sync=SYNC)
    steering = steering_of(free, free.routes[0])
    assert steering is not None
    assert (steering.bound_s, steering.classes, steering.collections) == (None, None, None)


def test_a_country_may_be_in_several_zones() -> None:
    zones = {"gdpr": {"countries": ["IE", "DE"]}, "de": {"countries": ["DE"]}}
    found = zones_by_country(config(residency={"zones": zones}))
    assert found == {"IE": {"gdpr"}, "DE": {"gdpr", "de"}}


def test_this_nodes_own_region_is_never_reached_through_a_gateway() -> None:
    regions = config(regions=[{**REGIONS[0], "reach": "gateway"}, *REGIONS[1:]]).regions
    assert region_facts(regions[0], local="us").is_through_gateway
    assert not region_facts(regions[0], local="eu").is_through_gateway
