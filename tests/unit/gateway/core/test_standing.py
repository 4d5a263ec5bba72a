"""Who stands where at a moment, and that whoever recovers is chosen again."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import outcomes
from gateway.core.balancing import choose, choose_last
from gateway.core.book import EndpointBook
from gateway.core.breaker import BreakerPolicy
from gateway.core.ejections import OutlierPolicy
from gateway.core.gate import Balancing, Endpoint, RegionPool, build_pool
from gateway.core.standing import LEAST_SHARE, observe, slow_start, standing
from gateway.errors import AnswerTimeout, ConnectFailed

BREAKER = BreakerPolicy(
    "consecutive",
    error_threshold=0.5,
    max_errors=3,
    min_requests=1,
    window_s=10.0,
    open_for_s=5.0,
    trials=1,
    counts_status=True,
    counts_timeout=True,
    counts_connect=True,
    statuses=frozenset({500}),
)
OUTLIERS = OutlierPolicy(10.0, 5, 1.9, 5, 100, 30.0, 300.0, 0.3)


def endpoint(name: str, **changes: Any) -> Endpoint:
    values: dict[str, Any] = {
        "id": f"api/eu/{name}",
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


def scene(
    *endpoints: Endpoint, balancing: Balancing | None = None, breaker: bool = False, outliers: bool = False
) -> tuple[RegionPool, EndpointBook]:
    book = EndpointBook()
    book.adopt(
        "api",
        [each.id for each in endpoints],
        breaker=BREAKER if breaker else None,
        outliers=OUTLIERS if outliers else None,
        takes_latency=False,
        now=0.0,
    )
    return build_pool("api", "eu", endpoints, verdict_age_s=0.0, balancing=balancing or Balancing()), book


def fails(book: EndpointBook, one: Endpoint, now: float) -> None:
    attempt = outcomes.begin(book, one, now)
    outcomes.failed(book, attempt, ConnectFailed("refused"), now)
    attempt.load.in_flight -= 1


def answers(book: EndpointBook, one: Endpoint, status: int, now: float) -> None:
    attempt = outcomes.begin(book, one, now)
    outcomes.answered(book, attempt, status, now)
    attempt.load.in_flight -= 1


def chosen(pool: RegionPool, book: EndpointBook, now: float, *, count: int = 50) -> set[str]:
    rng = random.Random(1)
    picks = (choose(pool, "least_request", book, tried=(), rng=rng, now=now) for _ in range(count))
    return {each.host for each in picks if each is not None}


def test_after_one_failed_connection_an_endpoint_gets_nothing_but_trials_until_one_is_answered() -> None:
    a, b = endpoint("a"), endpoint("b")
    pool, book = scene(a, b)
    fails(book, a, 10.0)
    assert chosen(pool, book, 10.5) == {"b"}
    assert standing(pool, book, 10.5).held_back[0].reason == "unreachable"
    assert choose(pool, "least_request", book, tried=(), rng=random.Random(1), now=11.0) is a
    fails(book, a, 11.0)
    assert chosen(pool, book, 12.9) == {"b"}
    answers(book, a, 200, 13.0)
    assert chosen(pool, book, 13.0) == {"a", "b"}


def test_a_trial_under_way_admits_no_second() -> None:
    a, b = endpoint("a"), endpoint("b")
    pool, book = scene(a, b)
    fails(book, a, 0.0)
    outcomes.begin(book, a, 1.0)
    assert chosen(pool, book, 1.0) == {"b"}


def test_when_nobody_else_is_left_the_unreachable_are_asked_all_the_same() -> None:
    a = endpoint("a")
    pool, book = scene(a)
    fails(book, a, 0.0)
    assert chosen(pool, book, 0.1) == set()
    assert choose_last(pool, book, rng=random.Random(1), now=0.1) is a


def test_an_open_breaker_is_no_last_resort_and_half_open_takes_its_trials() -> None:
    a = endpoint("a")
    pool, book = scene(a, breaker=True)
    for _ in range(3):
        answers(book, a, 500, 0.0)
    assert chosen(pool, book, 1.0) == set()
    assert choose_last(pool, book, rng=random.Random(1), now=1.0) is None
    assert standing(pool, book, 1.0).held_back[0].reason == "breaker_open"
    trial = outcomes.begin(book, a, 5.0)
    assert chosen(pool, book, 5.0) == set()
    outcomes.answered(book, trial, 200, 5.0)
    assert chosen(pool, book, 5.0) == {"a"}


def test_five_errors_in_a_row_eject_one_endpoint_but_never_all() -> None:
    a, b = endpoint("a"), endpoint("b")
    pool, book = scene(a, b, outliers=True)
    for one in (a, b):
        for _ in range(5):
            answers(book, one, 503, 0.0)
    assert chosen(pool, book, 1.0) == {"b"}
    assert standing(pool, book, 1.0).held_back[0].reason == "outlier_ejected"
    assert chosen(pool, book, 30.0) == {"a", "b"}


def test_what_control_has_ejected_is_out_until_then() -> None:
    a, b = endpoint("a"), endpoint("b")
    pool, book = scene(a, b, outliers=True)
    book.eject({a.id: 7.0})
    assert chosen(pool, book, 6.9) == {"b"}
    assert chosen(pool, book, 7.0) == {"a", "b"}


def test_an_endpoint_that_came_up_starts_with_a_tenth_and_grows() -> None:
    down, up = endpoint("a", health="down"), endpoint("a")
    other = endpoint("b")
    slow = Balancing(slow_start_s=30.0)
    pool, book = scene(down, other, balancing=slow)
    observe(pool, book, 0.0)
    pool = build_pool("api", "eu", [up, other], verdict_age_s=0.0, balancing=slow)
    observe(pool, book, 100.0)
    load = book.load("api/eu/a")
    shares = [slow_start(load, 0.0, 30.0, 100.0 + after) for after in (0, 3, 15, 30, 99)]
    assert shares == [LEAST_SHARE, 0.1, 0.5, 1.0, 1.0]
    assert dict(standing(pool, book, 115.0).starting) == {"api/eu/a": 0.5}
    assert standing(pool, book, 130.0).starting == ()


def test_nobody_starts_slowly_when_the_process_starts_but_who_joins_later_does() -> None:
    a, b = endpoint("a"), endpoint("b")
    slow = Balancing(slow_start_s=30.0)
    pool, book = scene(a, balancing=slow)
    observe(pool, book, 0.0)
    assert standing(pool, book, 0.0).starting == ()
    book.adopt("api", [a.id, b.id], breaker=None, outliers=None, takes_latency=False, now=5.0)
    pool = build_pool("api", "eu", [a, b], verdict_age_s=0.0, balancing=slow)
    observe(pool, book, 5.0)
    assert [name for name, _ in standing(pool, book, 5.0).starting] == [b.id]


def test_priorities_share_traffic_only_below_five_sevenths() -> None:
    first = [endpoint(f"f{number}", health="up" if number < 2 else "down") for number in range(4)]
    second = [endpoint(f"s{number}", priority=1) for number in range(4)]
    pool, book = scene(*first, *second)
    shares = standing(pool, book, 0.0).shares
    assert shares is not None
    assert [round(each, 3) for each in shares] == [0.7, 1.0]
    healthy, other_book = scene(endpoint("f"), *second)
    assert standing(healthy, other_book, 0.0).shares is None


STEP = st.tuples(
    st.integers(0, 3),
    st.sampled_from(["ok", "error", "refused", "timeout", "abandoned"]),
    st.floats(0, 40),
)


@given(steps=st.lists(STEP, max_size=60))
@settings(max_examples=150, deadline=None)
def test_every_endpoint_that_recovers_is_chosen_again(steps: list[tuple[int, str, float]]) -> None:
    """Whatever happened before: from now on all is well and requests keep coming, so all get their part."""
    endpoints = [endpoint(name) for name in "abcd"]
    pool, book = scene(*endpoints, balancing=Balancing(slow_start_s=30.0), breaker=True, outliers=True)
    now = 0.0
    for index, what, ahead in steps:
        now += ahead
        attempt = outcomes.begin(book, endpoints[index], now)
        if what == "abandoned":
            outcomes.abandoned(attempt)
        elif what in ("ok", "error"):
            outcomes.answered(book, attempt, 200 if what == "ok" else 500, now)
        else:
            error = ConnectFailed("refused") if what == "refused" else AnswerTimeout("late")
            outcomes.failed(book, attempt, error, now)
        attempt.load.in_flight -= 1
    rng = random.Random(7)
    last: dict[str, float] = {}
    for _ in range(3000):
        now += 0.2
        one = choose(pool, "least_request", book, tried=(), rng=rng, now=now) or choose_last(
            pool, book, rng=rng, now=now
        )
        if one is not None:
            answers(book, one, 200, now)
            last[one.host] = now
    assert set(last) == set("abcd")
    assert all(now - at < 30.0 for at in last.values())
    assert standing(pool, book, now).held_back == ()
