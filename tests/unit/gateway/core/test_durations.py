"""Quantiles within a bucket's width, of what happened lately."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.durations import ENOUGH, GROWTH, HALVED_AT, Durations


@given(st.lists(st.floats(min_value=0.001, max_value=100.0), min_size=ENOUGH, max_size=300))
def test_a_quantile_is_right_within_a_bucket(samples: list[float]) -> None:
    durations = Durations()
    for sample in samples:
        durations.add(sample)
    figure = durations.quantile(0.95)
    assert figure is not None
    exact = sorted(samples)[-(-len(samples) * 95 // 100) - 1]
    assert exact / 1.001 <= figure <= exact * GROWTH * 1.001


def test_too_few_answers_give_no_figure() -> None:
    durations = Durations()
    for _ in range(ENOUGH - 1):
        durations.add(0.1)
    assert durations.quantile(0.95) is None


def test_what_is_long_ago_is_forgotten() -> None:
    durations = Durations()
    for _ in range(HALVED_AT):
        durations.add(5.0)
    for _ in range(20 * HALVED_AT):
        durations.add(0.01)
    figure = durations.quantile(0.95)
    assert figure is not None
    assert figure < 0.02


def test_extremes_are_counted_in_the_outer_buckets() -> None:
    durations = Durations()
    for _ in range(ENOUGH):
        durations.add(0.0)
    assert durations.quantile(0.95) == 0.0005
    for _ in range(HALVED_AT):
        durations.add(1e9)
    assert (durations.quantile(0.95) or 0.0) > 500
