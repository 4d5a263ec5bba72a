"""Fair turns, the less loaded of two, and never the same endpoint twice for one request."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from gateway.core.balancing import choose
from gateway.core.book import EndpointBook
from gateway.core.gate import Endpoint, RegionPool, build_pool


def endpoint(name: str, **changes: Any) -> Endpoint:
    values: dict[str, Any] = {
        "id": name,
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


def pool(*endpoints: Endpoint, verdict_age_s: float = 0.0) -> RegionPool:
    return build_pool("api", "eu", endpoints, verdict_age_s=verdict_age_s)


def pick(
    from_pool: RegionPool,
    algorithm: str,
    book: EndpointBook,
    *,
    tried: tuple[str, ...] = (),
    now: float = 0.0,
    rng: random.Random | None = None,
) -> str | None:
    chosen = choose(from_pool, algorithm, book, tried=tried, rng=rng or random.Random(1), now=now)
    return chosen.id if chosen else None


def test_round_robin_takes_turns_by_weight() -> None:
    book, turns = EndpointBook(), pool(endpoint("a", weight=3), endpoint("b"))
    assert Counter(pick(turns, "round_robin", book) for _ in range(400)) == {"a": 300, "b": 100}


def test_a_rotation_outlives_the_snapshot_that_it_began_under() -> None:
    book = EndpointBook()
    first = pick(pool(endpoint("a"), endpoint("b")), "round_robin", book)
    second = pick(pool(endpoint("a"), endpoint("b")), "round_robin", book)
    assert (first, second) == ("a", "b")


def test_least_request_takes_the_less_loaded_of_two() -> None:
    book = EndpointBook()
    book.load("a").in_flight = 5
    both = pool(endpoint("a"), endpoint("b"))
    rng = random.Random(7)
    assert {pick(both, "least_request", book, rng=rng) for _ in range(50)} == {"b"}


def test_least_request_weighs_load_by_weight() -> None:
    book = EndpointBook()
    book.load("big").in_flight = 5
    book.load("small").in_flight = 2
    assert pick(pool(endpoint("big", weight=4), endpoint("small")), "least_request", book) == "big"


def test_least_request_keeps_loads_even() -> None:
    book, rng = EndpointBook(), random.Random(3)
    many = pool(*(endpoint(str(number)) for number in range(10)))
    for _ in range(1000):
        chosen = choose(many, "least_request", book, tried=(), rng=rng, now=0.0)
        assert chosen is not None
        book.load(chosen.id).in_flight += 1
    loads = [book.load(str(number)).in_flight for number in range(10)]
    assert max(loads) - min(loads) <= 5


@pytest.mark.parametrize("algorithm", ["round_robin", "least_request"])
def test_what_was_tried_is_left_out_then_lower_tiers_serve_then_nobody(algorithm: str) -> None:
    book = EndpointBook()
    tiers = pool(endpoint("a"), endpoint("b"), endpoint("spare", is_backup=True))
    assert pick(tiers, algorithm, book, tried=("a",)) == "b"
    assert pick(tiers, algorithm, book, tried=("a", "b")) == "spare"
    assert pick(tiers, algorithm, book, tried=("a", "b", "spare")) is None


def test_a_stale_verdict_is_tried_by_one_request_an_interval() -> None:
    book = EndpointBook()
    stale = pool(endpoint("a"), endpoint("ill", health="down"), verdict_age_s=50.0)
    assert pick(stale, "round_robin", book) == "ill"
    book.load("ill").in_flight = 1
    assert pick(stale, "round_robin", book) == "a"
    book.load("ill").in_flight = 0
    book.load("ill").last_failure_at = 10.0
    assert pick(stale, "round_robin", book, now=14.9) == "a"
    assert pick(stale, "round_robin", book, now=15.0) == "ill"


def test_every_endpoint_that_recovers_is_chosen_again() -> None:
    book = EndpointBook()
    down = pool(endpoint("a"), endpoint("b", health="down"))
    assert {pick(down, "round_robin", book) for _ in range(10)} == {"a"}
    up = pool(endpoint("a"), endpoint("b"))
    assert {pick(up, "round_robin", book) for _ in range(10)} == {"a", "b"}
