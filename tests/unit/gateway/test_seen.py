"""Numbers that were here before, on any worker of the node."""

from __future__ import annotations

import os
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.node_memory import NodeMemory, create
from gateway.seen import BUCKETS, WAYS, Seen


def test_a_number_is_new_once_for_all_workers() -> None:
    descriptor = create()
    one, other = (NodeMemory.shared(descriptor, me=me, workers=2).seen for me in (0, 1))
    assert one.is_new(7, until=30.0, now=0.0)
    assert not other.is_new(7, until=30.0, now=1.0)
    assert not one.is_new(7, until=30.0, now=29.9)
    assert other.is_new(8, until=30.0, now=1.0)
    os.close(descriptor)


def test_what_is_forgotten_is_new_again() -> None:
    seen = Seen(None)
    assert seen.is_new(7, until=30.0, now=0.0)
    assert seen.is_new(7, until=60.0, now=30.0)
    assert not seen.is_new(7, until=60.0, now=59.0)


def test_a_full_bucket_forgets_what_would_be_forgotten_soonest() -> None:
    seen = Seen(None)
    same_bucket = [number * BUCKETS + 5 for number in range(1, WAYS + 2)]
    for at, number in enumerate(same_bucket):
        assert seen.is_new(number, until=100.0 + at, now=0.0)
    assert not any(seen.is_new(number, until=200.0, now=1.0) for number in same_bucket[1:])
    assert seen.is_new(same_bucket[0], until=200.0, now=1.0)


def test_three_hundred_thousand_random_numbers_are_remembered() -> None:
    """Ten thousand a second for as long as a hop is remembered."""
    seen, rng = Seen(None), random.Random(1)
    numbers = [rng.getrandbits(63) for _ in range(300_000)]
    assert all(seen.is_new(number, until=30.0, now=0.0) for number in numbers)
    forgotten = sum(seen.is_new(number, until=30.0, now=1.0) for number in numbers[:10_000])
    assert forgotten <= 5


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=100))
def test_against_a_dictionary(steps: list[tuple[int, int]]) -> None:
    seen, known, now = Seen(None), dict[int, float](), 0.0
    for number, gap in steps:
        now += gap
        is_new = not known.get(number, 0.0) > now
        assert seen.is_new(number, until=now + 5, now=now) == is_new
        if is_new:
            known[number] = now + 5
