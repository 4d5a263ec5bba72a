"""When a child that died may start again."""

from __future__ import annotations

from tidegate.node.core.backoff import MAX_DELAY_S, STABLE_AFTER_S, Backoff


def test_the_first_death_costs_no_wait() -> None:
    assert Backoff().died(started_at=0.0, now=1.0) == 0.0


def test_deaths_in_a_row_wait_ever_longer_up_to_a_bound() -> None:
    backoff = Backoff()
    delays = [backoff.died(started_at=now, now=now + 0.1) for now in range(12)]
    assert delays[:5] == [0.0, 0.25, 0.5, 1.0, 2.0]
    assert delays == sorted(delays)
    assert delays[-1] == MAX_DELAY_S


def test_a_child_that_lived_long_starts_afresh() -> None:
    backoff = Backoff()
    for now in range(5):
        backoff.died(started_at=now, now=now + 0.1)
    assert backoff.died(started_at=100.0, now=100.0 + STABLE_AFTER_S) == 0.0
    assert backoff.died(started_at=200.0, now=200.1) == 0.25


def test_ten_thousand_deaths_are_still_the_longest_wait() -> None:
    backoff = Backoff()
    assert {backoff.died(started_at=0.0, now=0.0) for _ in range(10_000)} >= {MAX_DELAY_S}
    assert backoff.died(started_at=0.0, now=0.0) == MAX_DELAY_S
