"""The limit that is learnt: near what a service bears, and without a moment of holding back to measure."""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.gradient import INITIAL, LOWEST, Gradient

USUAL_S = 0.01


def run(
    gradient: Gradient,
    capacity: Callable[[float], int],
    *,
    from_s: float = 0.0,
    to_s: float,
    offered: int = 10_000,
    rng: random.Random | None = None,
) -> list[tuple[float, float]]:
    """A service that works on `capacity` requests at a time and queues the rest; the limit after each round of answers.

    `offered`: requests that would like to be under way. Returns (time, limit).
    """
    found, now = [], from_s
    while now < to_s:
        active = max(1, min(offered, int(gradient.limit)))
        took_s = USUAL_S * max(1.0, active / capacity(now))
        for _ in range(active):
            noise = rng.uniform(0.8, 1.2) if rng is not None else 1.0
            gradient.add(took_s * noise, active, now)
        now += took_s
        found.append((now, gradient.limit))
    return found


def test_it_grows_while_answers_take_what_they_always_took_and_never_dips() -> None:
    gradient = Gradient(highest=1000, now=0.0)
    limits = [limit for _, limit in run(gradient, lambda now: 10_000, to_s=120.0)]
    assert limits == sorted(limits)
    assert limits[0] == INITIAL
    assert limits[-1] > 300


def test_noise_does_not_make_it_dip() -> None:
    gradient = Gradient(highest=200, now=0.0)
    limits = [limit for _, limit in run(gradient, lambda now: 10_000, to_s=120.0, rng=random.Random(3))]
    assert limits == sorted(limits)
    assert limits[-1] == 200


def test_a_service_that_gets_slow_is_asked_less_within_seconds_and_as_before_when_it_is_well() -> None:
    gradient = Gradient(highest=400, now=0.0)
    run(gradient, lambda now: 500, to_s=300.0)
    assert gradient.limit == 400
    slow = run(gradient, lambda now: 50, from_s=300.0, to_s=310.0)
    assert min(limit for _, limit in slow) < 150
    run(gradient, lambda now: 500, from_s=310.0, to_s=420.0)
    assert gradient.limit > 350


def test_under_load_that_never_ends_the_queue_behind_the_service_stays_bounded() -> None:
    gradient = Gradient(highest=1000, now=0.0)
    limits = run(gradient, lambda now: 64, to_s=60.0, rng=random.Random(1))
    steady = [limit for now, limit in limits if now > 20.0]
    assert min(steady) >= 64
    assert max(steady) < 4 * 64


def test_it_does_not_grow_while_little_of_it_is_used() -> None:
    gradient = Gradient(highest=1000, now=0.0)
    run(gradient, lambda now: 10_000, to_s=60.0, offered=5)
    assert gradient.limit == INITIAL


@settings(max_examples=100, deadline=None)
@given(
    highest=st.integers(1, 500),
    answers=st.lists(st.tuples(st.floats(0.0, 100.0), st.integers(0, 500), st.floats(0.0, 1.0)), max_size=300),
)
def test_it_stays_between_its_bounds_whatever_comes(highest: int, answers: list[tuple[float, int, float]]) -> None:
    gradient, now = Gradient(highest=highest, now=0.0), 0.0
    for took_s, active, wait_s in answers:
        now += wait_s
        gradient.add(took_s, active, now)
        assert min(LOWEST, highest) <= gradient.limit <= highest
