"""What a configuration means for routing."""

from __future__ import annotations

from tests.harness.routing import REGIONS, routed, routing


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
