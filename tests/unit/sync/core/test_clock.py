from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync.core.clock import Clock, seconds_of, stamp_of

NOW = 1_700_000_000.0


@given(moves=st.lists(st.floats(-3600, 3600), max_size=50))
def test_stamps_only_grow_however_the_wall_clock_jumps(moves: list[float]) -> None:
    clock = Clock(max_skew_s=0.5)
    given_stamps = [clock.stamp(now=NOW + move) for move in moves]
    assert given_stamps == sorted(set(given_stamps))


def test_a_stamp_follows_the_wall_clock_when_that_is_ahead() -> None:
    clock = Clock(max_skew_s=0.5)
    assert clock.stamp(now=NOW) == stamp_of(NOW)
    assert clock.stamp(now=NOW) == stamp_of(NOW) + 1
    assert clock.stamp(now=NOW + 1) == stamp_of(NOW + 1)


def test_a_restarted_clock_goes_on_above_what_was_kept() -> None:
    before = Clock(max_skew_s=0.5)
    kept = before.stamp(now=NOW + 100)
    assert Clock(max_skew_s=0.5, last=kept).stamp(now=NOW) > kept


def test_what_was_observed_is_stamped_above() -> None:
    clock = Clock(max_skew_s=0.5)
    seen = stamp_of(NOW + 0.4)
    assert clock.observe(seen, now=NOW)
    assert clock.stamp(now=NOW) > seen


def test_a_stamp_beyond_the_allowed_skew_is_never_adopted() -> None:
    clock = Clock(max_skew_s=0.5)
    far = stamp_of(NOW + 0.6)
    assert not clock.observe(far, now=NOW)
    assert clock.stamp(now=NOW) < far
    assert not clock.may_adopt(far, now=NOW)
    assert clock.may_adopt(far, now=clock.visible_at(far) + 0.001)


def test_a_wall_clock_that_went_back_shows_as_running_ahead() -> None:
    clock = Clock(max_skew_s=0.5)
    clock.stamp(now=NOW + 10)
    assert 9.9 < clock.ahead_s(now=NOW) <= 10
    assert clock.ahead_s(now=NOW + 20) == 0
    assert abs(seconds_of(clock.last) - (NOW + 10)) < 0.001
