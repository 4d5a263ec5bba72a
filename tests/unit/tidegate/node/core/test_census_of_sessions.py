"""How many sessions there are, whatever the number of data planes that saw them."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.harness.configuration import load
from tidegate.node.core.census_of_sessions import MAX_SESSIONS, UNTIL_CLOSED_S, CensusOfSessions, cookie_ages

ONE, OTHER, PLAIN = "api/eu/a:80", "api/eu/b:80", "web/eu/a:80"


def census(age: float | None = 100.0, *, max_sessions: int = MAX_SESSIONS) -> CensusOfSessions:
    return CensusOfSessions({"api": age}, max_sessions=max_sessions)


def test_a_session_that_two_data_planes_saw_counts_once_and_where_it_was_last() -> None:
    found = census()
    found.add(0, {ONE: [1, 2, 3]}, now=0.0)
    found.add(0, {ONE: [2, 3], OTHER: [1]}, now=1.0)
    assert (found.count([ONE], now=1.0), found.count([OTHER], now=1.0)) == (2, 1)
    assert found.count([ONE, OTHER, PLAIN], now=1.0) == 3
    assert found.count([PLAIN], now=1.0) is None


def test_a_session_counts_as_long_as_its_cookie_lives() -> None:
    found = census(100.0)
    found.add(0, {ONE: [1, 2]}, now=0.0)
    found.add(0, {ONE: [1]}, now=60.0)
    assert [found.count([ONE], now=now) for now in (100.0, 101.0, 160.0, 161.0)] == [2, 1, 1, 0]
    unlimited = census(None)
    unlimited.add(0, {ONE: [1]}, now=0.0)
    assert unlimited.count([ONE], now=UNTIL_CLOSED_S) == 1


def test_a_service_that_does_not_stick_any_more_has_no_sessions() -> None:
    found = census()
    found.add(0, {ONE: [1], PLAIN: [2]}, now=0.0)
    found.adopt({})
    assert found.count([ONE], now=0.0) is None
    found.adopt({"api": 100.0})
    assert found.count([ONE], now=0.0) == 0


def test_more_than_it_holds_are_estimated_within_a_few_percent() -> None:
    rng = random.Random(2)
    found = census(max_sessions=2000)
    numbers = [rng.getrandbits(64) for _ in range(30_000)]
    for at in range(0, len(numbers), 1000):
        found.add(0, {ONE: numbers[at : at + 600], OTHER: numbers[at + 600 : at + 1000]}, now=0.0)
    assert found._size <= 2000
    one, other = found.count([ONE], now=0.0), found.count([OTHER], now=0.0)
    assert one is not None
    assert other is not None
    assert abs(one - 18_000) < 1500
    assert abs(other - 12_000) < 1500


def test_a_data_plane_that_only_sampled_makes_all_of_it_a_sample() -> None:
    found = census()
    found.add(0, {ONE: list(range(16))}, now=0.0)
    found.add(2, {OTHER: [32, 36]}, now=0.0)
    assert (found.count([ONE], now=0.0), found.count([OTHER], now=0.0)) == (16, 8)
    assert found.count([ONE], now=200.0) == 0
    found.add(0, {ONE: [1]}, now=200.0)
    assert found.count([ONE], now=200.0) == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([ONE, OTHER]), st.floats(0, 30)), max_size=60))
def test_against_a_naive_model(seen: list[tuple[int, str, float]]) -> None:
    found, model, now = census(50.0), dict[int, tuple[str, float]](), 0.0
    for number, endpoint, wait_s in seen:
        now += wait_s
        found.add(0, {endpoint: [number]}, now=now)
        model[number] = (endpoint, now)
        for asked in (ONE, OTHER):
            live = sum(1 for where, at in model.values() if where == asked and now - at <= 50.0)
            assert found.count([asked], now=now) == live


def test_ages_are_those_of_the_cookies_of_services_whose_sessions_stick() -> None:
    def sticky(document: dict[str, Any]) -> None:
        document["services"][0]["sticky_session"] = {"attributes": {"max_age": "90s"}}

    assert cookie_ages(load().config) == {}
    assert cookie_ages(load(edit=sticky).config) == {"api": 90.0}
