"""Compiled configuration, and what is known of the world on top of it."""

from __future__ import annotations

from gateway.core.snapshot import build_snapshot
from gateway.messages import EndpointState
from tests.harness.routing import REGIONS, routed, routing, snapshot


def test_residency_leaves_a_route_only_its_allowed_regions() -> None:
    plan = routing(routed(data_types=["profile"])).table.routes[0]
    assert [region.id for region in plan.regions] == ["eu"]
    assert [(entry.region, entry.reason, entry.rule) for entry in plan.excluded] == [
        ("us", "residency_region", "profile"),
        ("ap", "residency_region", "profile"),
    ]
    assert plan.local_refusal is None


def test_a_node_that_may_not_hold_the_data_knows_it() -> None:
    plan = routing(routed(data_types=["profile"]), region="us").table.routes[0]
    assert plan.local_refusal is not None
    assert plan.local_refusal.rule == "profile"


def test_a_data_type_without_a_rule_may_go_nowhere() -> None:
    plan = routing(routed(data_types=["unheard-of"])).table.routes[0]
    assert plan.regions == ()
    assert {entry.reason for entry in plan.excluded} == {"residency_default"}


def test_one_forbidden_type_of_several_is_enough() -> None:
    rules = [
        {"data_type": "profile", "allowed_regions": ["eu"]},
        {"data_type": "catalog", "allowed_regions": "*"},
    ]
    plan = routing(routed(data_types=["catalog", "profile"]), residency={"rules": rules}).table.routes[0]
    assert [region.id for region in plan.regions] == ["eu"]


def test_an_inactive_region_serves_nothing() -> None:
    regions = [{**REGIONS[0], "active": False}, *REGIONS[1:]]
    plan = routing(routed(), regions=regions).table.routes[0]
    assert [region.id for region in plan.regions] == ["us", "ap"]
    assert plan.excluded[0].reason == "region_inactive"


def test_a_verdict_change_shares_the_compiled_routes() -> None:
    compiled = routing()
    first = build_snapshot(compiled, version=1, endpoints={}, region_rtts={})
    name = compiled.services["api"].endpoints[0].id
    second = build_snapshot(compiled, version=2, endpoints={name: EndpointState("down", "http 500")}, region_rtts={})
    assert second.routing is first.routing
    assert len(first.pools["api"]["eu"].tiers[0].endpoints) == 2
    assert [over.endpoint.id for over in second.pools["api"]["eu"].passed_over] == [name]


def test_latency_keeps_its_order_against_noise_from_snapshot_to_snapshot() -> None:
    compiled = routing(routed(strategy="latency"))
    first = build_snapshot(compiled, version=1, endpoints={}, region_rtts={"eu": 0.10, "us": 0.11})
    second = build_snapshot(
        compiled,
        version=2,
        endpoints={},
        region_rtts={"eu": 0.11, "us": 0.10},
        previous_order=first.latency_order,
    )
    assert [entry.region for entry in second.rankings["r"]] == ["eu", "us", "ap"]


def test_a_geographic_ranking_is_made_once_for_a_country() -> None:
    view = snapshot(routed(strategy="geo_proximity"))
    route = view.routing.table.routes[0]
    assert [entry.region for entry in view.ranking(route, "US")] == ["us", "eu", "ap"]
    assert view.forward(route, "US") is view.forward(route, "US")
    assert [entry.region for entry in view.ranking(route, None)] == ["eu", "us", "ap"]


def test_the_local_region_comes_first_where_the_route_prefers_it() -> None:
    view = snapshot(routed(strategy="failover", prefer_local=True), region="ap")
    assert [entry.region for entry in view.rankings["r"]] == ["ap", "eu", "us"]
