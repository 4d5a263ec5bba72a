"""Compiled configuration, and what is known of the world on top of it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.snapshot import RoutingSnapshot, assumed, build_snapshot
from gateway.messages import EndpointState, ResolvedEndpoint
from tests.harness.routing import routed, routing, snapshot


def test_a_verdict_change_shares_the_compiled_routes() -> None:
    compiled = routing()
    first = build_snapshot(compiled, version=1, endpoints={}, region_rtts={})
    name = compiled.services["api"].endpoints[0].id
    second = build_snapshot(compiled, version=2, endpoints={name: EndpointState("down", "http 500")}, region_rtts={})
    assert second.routing is first.routing
    assert len(first.pools["api"]["eu"].tiers[0].endpoints) == 2
    assert [over.endpoint.id for over in second.pools["api"]["eu"].passed_over] == [name]


BY_LATENCY = {"latency": 1.0, "user_location": 0.0, "capacity": 0.0, "cost": 0.0, "user_preference": 0.0}


@pytest.mark.parametrize("chosen", [{"strategy": "latency"}, {"strategy": "multi_criteria", "weights": BY_LATENCY}])
@pytest.mark.parametrize("country", [None, "IE"])
def test_an_order_by_latency_is_kept_against_noise_from_snapshot_to_snapshot(
    chosen: dict[str, Any], country: str | None
) -> None:
    compiled = routing(routed(region_routing={"prefer_local": False, **chosen}))
    before: RoutingSnapshot | None = None
    orders = []
    for eu, us in ((0.10, 0.11), (0.11, 0.10), (0.099, 0.101), (0.102, 0.1), (0.2, 0.1), (0.19, 0.11)):
        before = build_snapshot(
            compiled, version=1, endpoints={}, region_rtts={"eu": eu, "us": us, "ap": 0.5}, previous=before
        )
        ranked = before.ranking(compiled.table.routes[0], country)
        orders.append([entry.region for entry in ranked])
    assert orders[:4] == [["eu", "us", "ap"]] * 4, "noise"
    assert orders[4] == ["us", "eu", "ap"], "twice as far is no noise"
    assert orders[5] == orders[4]


def test_a_geographic_ranking_is_made_once_for_a_country() -> None:
    view = snapshot(routed(strategy="geo_proximity"))
    route = view.routing.table.routes[0]
    assert [entry.region for entry in view.ranking(route, "US")] == ["us", "eu", "ap"]
    assert view.forward(route, "US") is view.forward(route, "US")
    assert [entry.region for entry in view.ranking(route, None)] == ["eu", "us", "ap"]


def test_the_local_region_comes_first_where_the_route_prefers_it() -> None:
    view = snapshot(routed(strategy="failover", prefer_local=True), region="ap")
    assert [entry.region for entry in view.rankings["r"]] == ["ap", "eu", "us"]


NAMED = {
    "id": "api",
    "endpoints": [
        {"region": "eu", "address": "10.0.0.1:80"},
        {"region": "eu", "dns": "api.internal", "port": 80, "weight": 3, "priority": 1},
        {"region": "us", "dns_srv": "_http._tcp.api.internal"},
    ],
}
EU, US = "api/eu/api.internal:80", "api/us/srv:_http._tcp.api.internal"


def test_whom_a_name_stands_for_is_an_endpoint_like_any_other_once() -> None:
    resolved = {
        EU: (ResolvedEndpoint("10.0.0.1", 80, "api.internal"), ResolvedEndpoint("::1", 80, "api.internal")),
        US: (ResolvedEndpoint("10.0.0.2", 8000, "a.internal", weight=5, priority=2),),
    }
    down = {"api/eu/[::1]:80": EndpointState("down", "connection refused")}
    built = build_snapshot(routing(services=[NAMED]), version=1, endpoints=down, region_rtts={}, resolved=resolved)
    eu, us = built.pools["api"]["eu"], built.pools["api"]["us"]
    assert [[endpoint.id for endpoint in tier.endpoints] for tier in eu.tiers] == [["api/eu/10.0.0.1:80"]]
    assert [(one.endpoint.id, one.endpoint.weight, one.detail) for one in eu.passed_over] == [
        ("api/eu/[::1]:80", 3, "connection refused")
    ]
    (found,) = us.tiers[0].endpoints
    assert (found.id, found.host, found.port) == ("api/us/10.0.0.2:8000", "10.0.0.2", 8000)
    assert (found.weight, found.priority, found.name) == (5, 2, "a.internal")


def test_a_name_that_stands_for_nobody_has_no_endpoints() -> None:
    built = build_snapshot(routing(services=[NAMED]), version=1, endpoints={}, region_rtts={})
    assert list(built.pools["api"]) == ["eu"]


def test_without_a_network_a_name_is_taken_for_its_one_server() -> None:
    compiled = routing(services=[NAMED])
    built = build_snapshot(compiled, version=1, endpoints={}, region_rtts={}, resolved=assumed(compiled))
    assert [endpoint.id for endpoint in built.pools["api"]["eu"].tiers[1].endpoints] == [EU]
