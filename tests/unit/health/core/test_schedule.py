"""The bound that operators are promised, against a model that knows nothing of how it is kept."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from health.core.probe import ProbeSettings
from health.core.schedule import DOUBT_SHARE, FORGIVEN_S, first_due, hurried, next_due, suspected, verdict_bound_s

SETTINGS = st.builds(
    ProbeSettings,
    interval_s=st.floats(0.01, 60),
    timeout_s=st.floats(0.01, 90),
    jitter=st.floats(0, 1),
    healthy_threshold=st.integers(1, 5),
    unhealthy_threshold=st.integers(1, 5),
)
SEEDS = st.integers(0, 2**32)


@given(SETTINGS, SEEDS, st.floats(0, 1e6))
def test_the_first_probe_comes_within_the_interval_and_within_a_second(
    settings: ProbeSettings, seed: int, now: float
) -> None:
    due = first_due(settings, now=now, rng=random.Random(seed))
    assert now <= due <= now + min(settings.interval_s, 1)


@given(SETTINGS, SEEDS)
def test_a_gap_is_never_longer_than_promised_and_never_shorter_than_jitter_or_timeout_allow(
    settings: ProbeSettings, seed: int
) -> None:
    gap = next_due(settings, due=100.0, started=100.0, rng=random.Random(seed)) - 100.0
    assert gap <= settings.interval_s * (1 + settings.jitter) + 1e-9
    assert gap >= settings.interval_s * (1 - settings.jitter) - 1e-9
    assert gap >= settings.attempt_timeout_s - 1e-9


def test_without_jitter_probes_are_exactly_an_interval_apart() -> None:
    settings = ProbeSettings(interval_s=5, timeout_s=1, jitter=0)
    assert next_due(settings, due=10.0, started=10.0, rng=random.Random(1)) == 15.0


def test_a_little_lateness_is_made_good_by_the_next_gap() -> None:
    settings = ProbeSettings(interval_s=5, timeout_s=1, jitter=0)
    assert next_due(settings, due=10.0, started=10.09, rng=random.Random(1)) == 15.0


def test_a_node_that_stood_still_does_not_catch_up() -> None:
    settings = ProbeSettings(interval_s=5, timeout_s=1, jitter=0)
    assert next_due(settings, due=10.0, started=1010.0, rng=random.Random(1)) == 1015.0 - FORGIVEN_S


@given(SETTINGS, SEEDS, st.floats(0, 1), st.floats(0, FORGIVEN_S / 2), st.booleans())
def test_an_endpoint_that_dies_is_found_out_within_the_bound(
    settings: ProbeSettings, seed: int, moment: float, late_s: float, is_silent: bool
) -> None:
    """The naive model: probes as a list of times; who died at `death` answers no probe that starts later."""
    rng = random.Random(seed)
    due = first_due(settings, now=0.0, rng=rng)
    death = moment * 10 * settings.longest_gap_s
    failed, busy_until = 0, 0.0
    while True:
        started = max(due, busy_until) + late_s * rng.random()
        took = settings.attempt_timeout_s if is_silent and started >= death else 0.0
        busy_until = started + took
        if started >= death:
            failed += 1
        if failed == settings.unhealthy_threshold:
            break
        due = next_due(settings, due=due, started=started, rng=rng)
    # A death before the very first probe is found out by it and those that follow: the first gap counts as one.
    bound = verdict_bound_s(settings, threshold=settings.unhealthy_threshold)
    # Attempts that fill the whole gap leave no room to make lateness good in.
    fills_the_gap = settings.attempt_timeout_s + late_s > settings.interval_s * (1 - settings.jitter)
    lost_s = late_s * settings.unhealthy_threshold if fills_the_gap else 0.0
    assert busy_until - death <= bound + FORGIVEN_S + lost_s


@given(SETTINGS, SEEDS, st.floats(0, 10))
def test_doubt_brings_the_next_probe_forward_and_never_puts_it_off(
    settings: ProbeSettings, seed: int, planned_s: float
) -> None:
    due = hurried(settings, due=100.0 + planned_s, ended=100.0, rng=random.Random(seed))
    assert 100.0 <= due <= 100.0 + planned_s
    assert due <= 100.0 + DOUBT_SHARE * settings.longest_gap_s


@given(SETTINGS, st.floats(0, 10), st.floats(0, 10))
def test_suspicion_brings_it_forward_to_now_but_not_to_right_after_the_last(
    settings: ProbeSettings, planned_s: float, ago_s: float
) -> None:
    due = suspected(settings, due=100.0 + planned_s, started=100.0 - ago_s, now=100.0)
    assert 100.0 <= due <= 100.0 + planned_s
    assert due in (100.0, 100.0 + planned_s) or due == 100.0 - ago_s + DOUBT_SHARE * settings.interval_s
