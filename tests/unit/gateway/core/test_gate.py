"""Who may serve, and in which turn."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from config.core.staleness import stale_after_s
from gateway.core.gate import MAX_SEQUENCE, Endpoint, build_pool, spread
from gateway.messages import OperatorState


def endpoint(name: str, **changes: Any) -> Endpoint:
    values: dict[str, Any] = {
        "id": f"api/eu/{name}:80",
        "service": "api",
        "region": "eu",
        "host": name,
        "port": 80,
        "weight": 1,
        "priority": 0,
        "is_backup": False,
        "probe_interval_s": 5.0,
        "health": "up",
        "health_reason": "http 200",
    }
    return Endpoint(**{**values, **changes})


def names(endpoints: tuple[Endpoint, ...]) -> list[str]:
    return [entry.host for entry in endpoints]


def test_up_and_untested_endpoints_serve_and_down_ones_are_passed_over_with_their_reason() -> None:
    pool = build_pool(
        "api",
        "eu",
        [endpoint("a"), endpoint("b", health="untested"), endpoint("c", health="down", health_reason="http 503")],
        verdict_age_s=0.0,
    )
    assert names(pool.tiers[0].endpoints) == ["a", "b"]
    assert [(over.endpoint.host, over.reason, over.detail) for over in pool.passed_over] == [
        ("c", "probe_down", "http 503")
    ]


def test_priorities_come_in_order_and_backups_last() -> None:
    pool = build_pool(
        "api",
        "eu",
        [endpoint("late", priority=2), endpoint("backup", is_backup=True), endpoint("first"), endpoint("also")],
        verdict_age_s=0.0,
    )
    assert [names(tier.endpoints) for tier in pool.tiers] == [["first", "also"], ["late"], ["backup"]]


def test_a_down_verdict_that_nobody_confirms_admits_trials() -> None:
    down = endpoint("a", health="down")
    fresh = build_pool("api", "eu", [down], verdict_age_s=stale_after_s(5.0) - 0.1)
    stale = build_pool("api", "eu", [down], verdict_age_s=stale_after_s(5.0))
    assert (fresh.trials, len(fresh.passed_over)) == ((), 1)
    assert (names(stale.trials), stale.passed_over) == (["a"], ())


def test_an_endpoint_of_weight_zero_takes_nothing() -> None:
    pool = build_pool("api", "eu", [endpoint("a", weight=0), endpoint("b")], verdict_age_s=0.0)
    assert names(pool.tiers[0].endpoints) == ["b"]
    assert pool.passed_over[0].reason == "weight_zero"


weights = st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=8)


@given(weights)
def test_turns_are_in_proportion_to_weights(given_weights: list[int]) -> None:
    turns = Counter(spread(given_weights))
    assert all(
        turns[index] * sum(given_weights) == weight * sum(turns.values()) for index, weight in enumerate(given_weights)
    )


@given(weights)
def test_turns_are_spread_and_not_bunched(given_weights: list[int]) -> None:
    sequence = spread(given_weights) * 2
    for index, weight in enumerate(given_weights):
        gap = sum(given_weights) / weight
        places = [place for place, turn in enumerate(sequence) if turn == index]
        assert all(later - earlier <= 2 * gap + 1 for earlier, later in pairwise(places))


@given(st.lists(st.integers(min_value=1, max_value=10_000_000), min_size=1, max_size=30))
def test_a_rotation_is_bounded_whatever_the_weights_and_leaves_nobody_out(given_weights: list[int]) -> None:
    sequence = spread(given_weights)
    assert len(sequence) <= MAX_SEQUENCE + 2 * len(given_weights)
    assert set(sequence) == set(range(len(given_weights)))


def test_two_to_one_alternates() -> None:
    assert spread([2, 1]) == [0, 1, 0]


def test_what_an_operator_has_disabled_or_drained_is_passed_over_with_his_words() -> None:
    off = endpoint("a", operator=OperatorState(disabled=True, reason="bad disk"))
    gone = endpoint("b", health="down", operator=OperatorState(share=0.0, is_draining=True, reason="upgrade"))
    pool = build_pool("api", "eu", [off, gone, endpoint("c")], verdict_age_s=1e9)
    assert [(over.endpoint.host, over.reason, over.detail) for over in pool.passed_over] == [
        ("a", "operator_disabled", "bad disk"),
        ("b", "operator_drained", "upgrade"),
    ]
    assert names(pool.tiers[0].endpoints) == ["c"]
    assert pool.trials == ()


def test_a_drain_takes_turns_away_by_its_share() -> None:
    pool = build_pool(
        "api", "eu", [endpoint("a", weight=2, operator=OperatorState(share=0.25)), endpoint("b")], verdict_age_s=0.0
    )
    assert Counter(names(pool.tiers[0].sequence)) == {"a": 1, "b": 2}
