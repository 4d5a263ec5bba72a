"""Fair turns, the less loaded of two, and never the same endpoint twice for one request."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.balancing import choose
from gateway.core.book import EndpointBook
from gateway.core.gate import Balancing, Endpoint, RegionPool, build_pool


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


def busy(book: EndpointBook, **in_flight: int) -> None:
    for name, count in in_flight.items():
        book.load(name).in_flight = count


def test_weights_are_met_by_draws_also_where_all_are_idle() -> None:
    turns, rng = pool(endpoint("a", weight=3), endpoint("b")), random.Random(5)
    for algorithm in ("weighted", "least_request", "least_connections"):
        counts = Counter(pick(turns, algorithm, EndpointBook(), rng=rng) for _ in range(8000))
        assert 0.7 < counts["a"] / 8000 < 0.8, algorithm
    counts = Counter(
        pick(
            build_pool("api", "eu", [endpoint("a", weight=3), endpoint("b")], verdict_age_s=0, balancing=RANDOM),
            "random",
            EndpointBook(),
            rng=rng,
        )
        for _ in range(8000)
    )
    assert 0.45 < counts["a"] / 8000 < 0.55


def test_least_connections_looks_at_all_of_them() -> None:
    book = EndpointBook()
    busy(book, a=3, b=1, c=2)
    assert {pick(pool(*map(endpoint, "abc")), "least_connections", book, rng=random.Random(n)) for n in range(9)} == {
        "b"
    }


def test_peak_ewma_prefers_the_faster_of_two_and_counts_what_is_in_flight() -> None:
    book = EndpointBook()
    book.adopt("api", ["a", "b"], breaker=None, outliers=None, takes_latency=True, now=0.0)
    for name, seconds in (("a", 0.01), ("b", 0.1)):
        latency = book.load(name).latency
        assert latency is not None
        latency.add(seconds, 0.0)
    both = pool(endpoint("a"), endpoint("b"))
    assert {pick(both, "peak_ewma", book, rng=random.Random(n)) for n in range(9)} == {"a"}
    busy(book, a=20)
    assert {pick(both, "peak_ewma", book, rng=random.Random(n)) for n in range(9)} == {"b"}


def test_resource_based_goes_by_what_endpoints_report_while_it_is_fresh() -> None:
    book, both = EndpointBook(), pool(endpoint("a"), endpoint("b"))
    for name, utilisation in (("a", 0.9), ("b", 0.2)):
        book.load(name).utilisation, book.load(name).utilisation_at = utilisation, 0.0
    assert {pick(both, "resource_based", book, rng=random.Random(n)) for n in range(9)} == {"b"}
    assert {pick(both, "resource_based", book, rng=random.Random(n), now=60.0) for n in range(9)} == {"a", "b"}


RANDOM = Balancing(algorithm="random")
KEYS = [f"user-{number}".encode() for number in range(300)]


def homes(of: RegionPool, book: EndpointBook, *, algorithm: str = "consistent_hash") -> dict[bytes, str]:
    found = {}
    for key in KEYS:
        one = choose(of, algorithm, book, tried=(), rng=random.Random(1), now=0.0, key=key)
        assert one is not None
        found[key] = one.id
    return found


@given(down=st.sets(st.sampled_from("abcde"), max_size=4))
@settings(max_examples=25, deadline=None)
def test_keys_stay_put_while_other_endpoints_go_and_come_home_with_their_own(down: set[str]) -> None:
    book = EndpointBook()
    everyone = pool(*map(endpoint, "abcde"))
    before = homes(everyone, book)
    during = homes(pool(*(endpoint(name, health="down" if name in down else "up") for name in "abcde")), book)
    assert all(during[key] == home for key, home in before.items() if home not in down)
    assert not down & set(during.values())
    assert homes(everyone, book) == before


def test_a_key_moves_on_from_an_endpoint_above_its_bound_and_ip_hash_stays() -> None:
    book, three = EndpointBook(), pool(*map(endpoint, "abc"))
    home = homes(three, book)[KEYS[0]]
    busy(book, **{name: 50 if name == home else 1 for name in "abc"})
    moved = choose(three, "consistent_hash", book, tried=(), rng=random.Random(1), now=0.0, key=KEYS[0])
    stays = choose(three, "ip_hash", book, tried=(), rng=random.Random(1), now=0.0, key=KEYS[0])
    assert moved is not None
    assert stays is not None
    assert (moved.id != home, stays.id) == (True, home)


@pytest.mark.parametrize(
    "algorithm",
    ["weighted", "random", "least_connections", "peak_ewma", "resource_based", "ip_hash", "consistent_hash"],
)
def test_no_algorithm_takes_an_endpoint_twice_for_one_request(algorithm: str) -> None:
    three = pool(*map(endpoint, "abc"))
    tried: list[str] = []
    for _ in range(3):
        one = choose(three, algorithm, EndpointBook(), tried=tuple(tried), rng=random.Random(1), now=0.0, key=b"k")
        assert one is not None
        tried.append(one.id)
    assert sorted(tried) == ["a", "b", "c"]
    assert choose(three, algorithm, EndpointBook(), tried=tried, rng=random.Random(1), now=0.0, key=b"k") is None
