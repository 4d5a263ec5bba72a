"""A machine whose clock jumps, among others that do not."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.node.data_clock import SAY_EVERY_S, DataClock
from tidegate.node.logs import Log

TRUE = 1_700_000_000.0


class Machine:
    """A clock that can be set wrong, and the lines of the log."""

    def __init__(self) -> None:
        self.now = 0.0
        self.off = 0.0
        self.lines: list[dict[str, Any]] = []
        log = Log(self.lines.append)
        self.clock = DataClock(
            max_skew_s=0.5, log=log, machine=lambda: TRUE + self.now + self.off, now=lambda: self.now
        )

    def said(self) -> list[str]:
        return [line["event"] for line in self.lines]


def test_a_jump_is_not_stamped_by_and_said_once_in_a_while() -> None:
    machine = Machine()
    machine.clock.heard("a", TRUE)
    machine.clock.heard("b", TRUE)
    machine.off = 3600.0
    for _ in range(10):
        machine.now += 1
        assert machine.clock.wall() == pytest.approx(TRUE + machine.now)
    assert machine.said() == ["this machine's clock is wrong: data goes by the other regions'"]
    machine.now += SAY_EVERY_S
    machine.clock.wall()
    assert len(machine.said()) == 2


def test_who_starts_with_a_wrong_clock_goes_by_the_others_from_the_moment_that_two_agree() -> None:
    machine = Machine()
    machine.off = -3600.0
    machine.clock.heard("a", TRUE)
    assert machine.clock.wall() == TRUE - 3600
    machine.clock.heard("b", TRUE)
    assert machine.clock.wall() == pytest.approx(TRUE)
    assert machine.said()[0] == "the other regions' clocks differ from this node's: going by theirs"
