"""Orders of regions, and their reasons."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.geography import Point
from gateway.core.regions import (
    RegionFacts,
    latency_order,
    local_first,
    rank_by_distance,
    rank_by_failover,
    rank_by_latency,
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
    ranked = rank_by_distance(ALL, "US", IRELAND)
    assert names(ranked) == ["us", "eu", "ap"]
    assert {entry.reason for entry in ranked} == {"nearest"}
    assert ranked[0].score is not None
    assert ranked[0].score < 2000


def test_distance_is_from_this_node_where_the_country_is_unknown() -> None:
    for country in (None, "ZZ"):
        ranked = rank_by_distance(ALL, country, MUMBAI)
        assert names(ranked)[0] == "ap"
        assert ranked[0].reason == "nearest_to_node"


def test_a_region_without_a_place_comes_last() -> None:
    ranked = rank_by_distance((region("nowhere", 0), US), "IE", None)
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
