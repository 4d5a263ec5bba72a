"""Deadlines are met up to a tick late, whenever they were set, and cost nothing to move."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.timer_wheel import TimerWheel

TICK_S = 0.1
LOOK_S = 0.5


class Item:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.fired_at: list[float] = []

    def on_deadline(self, now: float) -> None:
        self.fired_at.append(now)
        self.deadline = math.inf


def run(wheel: TimerWheel, *, start: float, until: float) -> None:
    for step in range(math.ceil((until - start) / TICK_S) + 1):
        wheel.advance(start + step * TICK_S)


@given(st.floats(min_value=0.0, max_value=20.0))
def test_a_deadline_is_met_once_and_in_time(deadline: float) -> None:
    wheel = TimerWheel(now=0.0, tick_s=TICK_S, look_s=LOOK_S)
    item = Item(deadline)
    wheel.watch(item, now=0.0)
    run(wheel, start=0.0, until=25.0)
    assert len(item.fired_at) == 1
    assert deadline <= item.fired_at[0] <= deadline + 2.5 * TICK_S


@given(st.floats(min_value=1.0, max_value=5.0), st.floats(min_value=1.0, max_value=20.0))
def test_a_deadline_moved_by_assignment_is_met(set_at: float, ahead: float) -> None:
    wheel = TimerWheel(now=0.0, tick_s=TICK_S, look_s=LOOK_S)
    item = Item(math.inf)
    wheel.watch(item, now=0.0)
    run(wheel, start=0.0, until=set_at)
    item.deadline = set_at + ahead
    run(wheel, start=set_at, until=40.0)
    assert len(item.fired_at) == 1
    assert item.deadline == math.inf
    assert set_at + ahead <= item.fired_at[0] <= set_at + ahead + LOOK_S + 2.5 * TICK_S


def test_an_item_that_is_gone_is_forgotten() -> None:
    wheel = TimerWheel(now=0.0, tick_s=TICK_S, look_s=LOOK_S)
    item = Item(1.0)
    wheel.watch(item, now=0.0)
    item.deadline = -math.inf
    run(wheel, start=0.0, until=5.0)
    assert item.fired_at == []
    assert not wheel._slots


def test_a_clock_that_stood_still_for_long_fires_everything_at_once() -> None:
    wheel = TimerWheel(now=0.0, tick_s=TICK_S, look_s=LOOK_S)
    items = [Item(at / 10) for at in range(50)]
    for item in items:
        wheel.watch(item, now=0.0)
    wheel.advance(1000.0)
    wheel.advance(1000.1)
    assert all(len(item.fired_at) == 1 for item in items)
