"""A wall clock that follows no jump before it has lasted."""

from __future__ import annotations

import pytest

from gateway.core.steady_wall import PATIENCE_S, SteadyWall

START = 1_800_000_000.0


class Clocks:
    """A wall clock that may be off, and a monotonic one that is not."""

    def __init__(self) -> None:
        self.now = 50.0
        self.off = 0.0
        self.steady = SteadyWall(lambda: START + self.now + self.off, lambda: self.now)

    def error(self, *, off: float, after_s: float = 1.0) -> float:
        """How far from the truth, some time later and with the wall clock off."""
        self.now += after_s
        self.off = off
        return self.steady() - START - self.now


def test_a_clock_that_is_slewed_is_followed_at_once() -> None:
    clocks = Clocks()
    assert [clocks.error(off=off) for off in (0.5, 1.0, 2.5)] == [0.5, 1.0, 2.5]


@pytest.mark.parametrize("off", [3600.0, -3600.0])
def test_an_hour_ahead_or_behind_for_a_while_is_not_noticed(off: float) -> None:
    clocks = Clocks()
    assert [clocks.error(off=off, after_s=PATIENCE_S / 3) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert clocks.error(off=0.0) == 0.0


def test_a_jump_that_lasts_is_followed_so_that_a_clock_which_was_wrong_at_the_start_is_put_right() -> None:
    clocks = Clocks()
    clocks.error(off=3600.0)
    assert clocks.error(off=3600.5, after_s=PATIENCE_S - 1) == 0.0
    assert clocks.error(off=3600.5) == 3600.5


def test_a_clock_that_jumps_to_and_fro_is_never_followed() -> None:
    clocks = Clocks()
    errors = [clocks.error(off=off, after_s=PATIENCE_S * 0.9) for off in (5.0, -5.0) * 5]
    assert errors == [0.0] * 10
