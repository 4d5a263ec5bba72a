"""Distances follow lasting changes, shrug at spikes, and do not invent what was never measured."""

from __future__ import annotations

import pytest

from health.core.latency import Distance, has_moved, region_rtt_s, smoothed


def distance(mean_s: float, *, is_down: bool = False, is_handshake: bool = False) -> Distance:
    return Distance(is_down, is_handshake, mean_s)


def test_the_first_sample_is_the_figure() -> None:
    assert smoothed(None, 0.08) == 0.08


def test_a_spike_moves_a_figure_by_a_quarter_of_itself() -> None:
    assert smoothed(0.1, 1.1) == pytest.approx(0.35)


def test_a_lasting_change_is_three_quarters_absorbed_after_five_samples() -> None:
    mean = 0.1
    for _ in range(5):
        mean = smoothed(mean, 0.2)
    assert 0.175 < mean < 0.2


def test_a_region_is_as_far_as_its_nearest_endpoint() -> None:
    distances = [distance(0.09), distance(0.08)]
    assert region_rtt_s(distances) == 0.08


def test_a_down_endpoint_is_counted_only_when_none_else_was_measured() -> None:
    assert region_rtt_s([distance(0.01, is_down=True), distance(0.08)]) == 0.08
    assert region_rtt_s([distance(0.01, is_down=True)]) == 0.01


def test_what_an_answer_took_outranks_a_handshake_that_a_neighbour_may_have_answered() -> None:
    assert region_rtt_s([distance(0.0001, is_handshake=True), distance(0.08)]) == 0.08


def test_a_region_without_measurements_has_no_figure() -> None:
    assert region_rtt_s([]) is None


@pytest.mark.parametrize(
    ("told_s", "now_s", "moved"),
    [
        (None, None, False),
        (None, 0.08, True),
        (0.08, None, True),
        (0.08, 0.09, False),
        (0.08, 0.11, True),
        (0.11, 0.08, True),
        (0.0002, 0.0009, False),
    ],
)
def test_a_figure_has_moved_when_it_did_so_by_a_quarter_and_two_milliseconds(
    told_s: float | None, now_s: float | None, moved: bool
) -> None:
    assert has_moved(told_s, now_s) is moved
