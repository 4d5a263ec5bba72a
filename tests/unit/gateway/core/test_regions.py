"""Orders of regions, and their reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.geography import Point
from gateway.core.regions import (
    Criteria,
    RegionFacts,
    latency_order,
    local_first,
    place_of,
    place_of_client,
    put_first,
    rank_by_compliance,
    rank_by_criteria,
    rank_by_distance,
    rank_by_failover,
    rank_by_latency,
    rank_by_weight,
    settled_rtts,
)

IRELAND, VIRGINIA, MUMBAI = Point(53.35, -6.26), Point(38.95, -77.45), Point(19.08, 72.88)


def region(name: str, priority: int = 1, location: Point | None = None) -> RegionFacts:
    return RegionFacts(id=name, priority=priority, is_active=True, location=location, gateway=None)


EU, US, AP = region("eu", 1, IRELAND), region("us", 2, VIRGINIA), region("ap", 3, MUMBAI)
ALL = (EU, US, AP)


def names(ranked: tuple[object, ...]) -> list[str]:
    return [entry.region for entry in ranked]  # type: ignore[attr-defined]  # every ranked thing has a region


def test_failover_is_by_priority_then_name() -> None:
    assert names(rank_by_failover((region("b", 2), region("c", 1), region("a", 2)))) == ["c", "a", "b"]


def test_distance_is_from_the_clients_country() -> None:
    ranked = rank_by_distance(ALL, place_of_client("US", None), IRELAND)
    assert names(ranked) == ["us", "eu", "ap"]
    assert {entry.reason for entry in ranked} == {"nearest"}
    assert ranked[0].score is not None
    assert ranked[0].score < 2000


def test_distance_is_from_this_node_where_the_country_is_unknown() -> None:
    for country in (None, "ZZ"):
        ranked = rank_by_distance(ALL, place_of_client(country, None), MUMBAI)
        assert names(ranked)[0] == "ap"
        assert ranked[0].reason == "nearest_to_node"


def test_distance_is_from_the_client_itself_where_its_place_is_known() -> None:
    california, west = Point(37.0, -122.0), region("west", location=Point(45.6, -121.2))
    assert names(rank_by_distance((US, west), place_of_client("US", california), None)) == ["west", "us"]
    assert names(rank_by_distance((US, west), place_of_client("US", Point(39.0, -77.0)), None)) == ["us", "west"]


def test_a_region_without_a_place_comes_last() -> None:
    ranked = rank_by_distance((region("nowhere", 0), US), IRELAND, None)
    assert names(ranked) == ["us", "nowhere"]
    assert (ranked[1].score, ranked[1].reason) == (None, "location_unknown")


def test_latency_puts_the_nearest_first_and_the_unmeasured_last() -> None:
    order = latency_order({"us": 0.02, "ap": 0.2}, ALL)
    ranked = rank_by_latency(ALL, order, {"us": 0.02, "ap": 0.2})
    assert names(ranked) == ["us", "ap", "eu"]
    assert [entry.reason for entry in ranked] == ["lowest_latency", "lowest_latency", "latency_unknown"]
    assert ranked[0].score == 20.0


def test_noise_moves_no_traffic() -> None:
    order = latency_order({"eu": 0.100, "us": 0.110, "ap": 0.2}, ALL)
    assert latency_order({"eu": 0.110, "us": 0.100, "ap": 0.2}, ALL, order) == order


def test_a_millisecond_between_near_regions_moves_no_traffic() -> None:
    order = latency_order({"eu": 0.001, "us": 0.002}, (EU, US))
    assert latency_order({"eu": 0.002, "us": 0.001}, (EU, US), order) == order


def test_a_clear_change_moves_it() -> None:
    order = latency_order({"eu": 0.1, "us": 0.11, "ap": 0.2}, ALL)
    assert latency_order({"eu": 0.3, "us": 0.11, "ap": 0.2}, ALL, order) == ("us", "ap", "eu")


def test_a_region_that_is_gone_leaves_the_order_and_a_new_one_joins() -> None:
    assert latency_order({"us": 0.1}, (US, AP), ("eu", "us")) == ("us", "ap")


rtts = st.dictionaries(st.sampled_from(["eu", "us", "ap"]), st.floats(min_value=0.0005, max_value=0.5))


@given(st.lists(rtts, min_size=1, max_size=6))
def test_every_region_is_ordered_exactly_once_whatever_was_measured(history: list[dict[str, float]]) -> None:
    order: tuple[str, ...] = ()
    for measured in history:
        order = latency_order(measured, ALL, order)
        assert sorted(order) == ["ap", "eu", "us"]


@given(rtts)
def test_without_a_history_the_order_is_by_latency(measured: dict[str, float]) -> None:
    order = latency_order(measured, ALL)
    known = [measured[name] for name in order if name in measured]
    assert known == sorted(known)
    assert all(name not in measured for name in order[len(known) :])


def test_this_nodes_own_region_comes_first_where_it_is_preferred() -> None:
    ranked = local_first(rank_by_failover(ALL), "ap")
    assert names(ranked) == ["ap", "eu", "us"]
    assert ranked[0].reason == "local_region"


def test_a_local_region_that_may_not_serve_is_not_put_back() -> None:
    assert names(local_first(rank_by_failover((EU, US)), "ap")) == ["eu", "us"]


def test_places_are_spread_evenly_and_independent_of_each_other() -> None:
    places = [place_of(f"10.0.{number // 250}.{number % 250}", "a") for number in range(10_000)]
    assert all(0.0 <= place < 1.0 for place in places)
    for tenth in range(10):
        assert sum(tenth / 10 <= place < (tenth + 1) / 10 for place in places) == pytest.approx(1000, abs=120)
    assert place_of("10.0.0.1", "a") != place_of("10.0.0.1", "b")


CLIENTS = [f"10.{number // 250}.{number % 250}.7" for number in range(4000)]
weights = st.dictionaries(st.sampled_from(["eu", "us", "ap"]), st.integers(min_value=1, max_value=100), min_size=1)


@given(weights)
def test_each_region_is_first_for_its_share_of_the_clients(given_weights: dict[str, int]) -> None:
    total = sum(given_weights.values())
    firsts = [rank_by_weight(ALL, given_weights, client)[0].region for client in CLIENTS]
    for name in ("eu", "us", "ap"):
        assert firsts.count(name) / len(CLIENTS) == pytest.approx(given_weights.get(name, 0) / total, abs=0.035)


@given(weights, st.sampled_from(["eu", "us", "ap"]))
def test_when_a_region_goes_and_returns_only_its_own_clients_move(given_weights: dict[str, int], gone: str) -> None:
    left = tuple(region for region in ALL if region.id != gone)
    for client in CLIENTS[:300]:
        before = names(rank_by_weight(ALL, given_weights, client))
        assert names(rank_by_weight(left, given_weights, client)) == [name for name in before if name != gone]


def test_a_region_without_a_weight_comes_last() -> None:
    ranked = rank_by_weight(ALL, {"us": 1}, "10.0.0.1")
    assert names(ranked) == ["us", "eu", "ap"]
    assert [entry.reason for entry in ranked] == ["weighted_share", "weight_zero", "weight_zero"]


def test_a_clients_own_zone_comes_first() -> None:
    regions = (replace(EU, zones=frozenset(["gdpr"])), replace(US, zones=frozenset(["ccpa"])), AP)
    assert names(rank_by_compliance(regions, frozenset(["ccpa"]))) == ["us", "eu", "ap"]
    unknown = rank_by_compliance(regions, None)
    assert names(unknown) == ["eu", "us", "ap"]
    assert {entry.reason for entry in unknown} == {"zone_unknown"}


ONLY = dict.fromkeys(("latency", "user_location", "capacity", "cost", "user_preference"), 0.0)
FREE = {"eu": 0.1, "us": 0.5, "ap": 1.0}
RTTS = {"eu": 0.1, "us": 0.01, "ap": 0.2}
PRICED = (replace(EU, cost=3.0), replace(US, cost=2.0), replace(AP, cost=1.0))


@pytest.mark.parametrize(
    ("criterion", "order"),
    [
        ("latency", ["us", "eu", "ap"]),
        ("user_location", ["eu", "us", "ap"]),
        ("capacity", ["ap", "us", "eu"]),
        ("cost", ["ap", "us", "eu"]),
        ("user_preference", ["ap", "eu", "us"]),
    ],
)
def test_each_criterion_alone_decides_the_order(criterion: str, order: list[str]) -> None:
    criteria = Criteria(**{**ONLY, criterion: 1.0})
    assert names(rank_by_criteria(PRICED, criteria, RTTS, IRELAND, FREE, "ap")) == order


def test_scores_are_between_zero_and_one_and_unknown_counts_as_worst() -> None:
    criteria = Criteria(latency=1.0, user_location=2.0, capacity=3.0, cost=4.0, user_preference=5.0)
    ranked = rank_by_criteria(PRICED, criteria, {"us": 0.01}, None, {}, None)
    assert all(entry.score is not None and 0.0 <= entry.score <= 1.0 for entry in ranked)
    alone = rank_by_criteria(PRICED, Criteria(**{**ONLY, "latency": 1.0}), {"ap": 0.01, "us": 0.1}, None, {}, None)
    assert alone[-1] == alone[2]
    assert {entry.region: entry.score for entry in alone}["eu"] == 1.0


def test_a_figure_stays_what_it_was_until_it_has_clearly_moved() -> None:
    settled = settled_rtts({"eu": 0.100, "us": 0.101}, {})
    assert settled == {"eu": 0.100, "us": 0.101}
    settled = settled_rtts({"eu": 0.110, "us": 0.099, "ap": 0.2}, settled)
    assert settled == {"eu": 0.100, "us": 0.101, "ap": 0.2}, "noise"
    settled = settled_rtts({"eu": 0.0005, "us": 0.0024}, {"eu": 0.001, "us": 0.001})
    assert settled == {"eu": 0.001, "us": 0.001}, "a millisecond"
    assert settled_rtts({"eu": 0.126}, {"eu": 0.1, "us": 0.1}) == {"eu": 0.126}, "a fifth of it, and us is gone"
    assert settled_rtts({"eu": 0.101}, {"eu": 0.126}) == {"eu": 0.126}, "and not back with the next probe"


def test_what_is_put_first_must_be_allowed() -> None:
    ranked = put_first(rank_by_failover(ALL), ("ap", "mars", "ap"), "rule_matched")
    assert names(ranked) == ["ap", "eu", "us"]
    assert ranked[0].reason == "rule_matched"
