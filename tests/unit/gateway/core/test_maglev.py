"""Every place is somebody's, by weight, and little moves."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.maglev import SIZE, places, share_of, table_of


@given(weights=st.lists(st.integers(1, 20), min_size=1, max_size=12))
@settings(max_examples=10, deadline=None)
def test_places_are_dealt_out_by_weight(weights: list[int]) -> None:
    counts = Counter(table_of([str(number) for number in range(len(weights))], weights))
    assert sum(counts.values()) == SIZE
    for index, weight in enumerate(weights):
        assert abs(counts[index] / SIZE - weight / sum(weights)) < 0.01


def test_a_new_endpoint_takes_its_share_and_few_others_move() -> None:
    names = [f"10.0.0.{number}:80" for number in range(10)]
    before, after = table_of(names, [1] * 10), table_of([*names, "new"], [1] * 11)
    moved = sum(1 for old, new in zip(before, after, strict=True) if new not in (old, 10))
    assert 0.05 < Counter(after)[10] / SIZE < 0.13
    assert moved / SIZE < 0.1


def test_a_key_has_the_same_places_always() -> None:
    assert list(places(b"alice")) == list(places(b"alice"))
    assert 0.0 <= share_of(b"alice", "a") < 1.0
