"""A verdict outlives ten probes that did not come, and a control process that takes its time to come back."""

from __future__ import annotations

from config.core.staleness import stale_after_s


def test_ten_intervals_but_never_less_than_a_slow_restart_takes() -> None:
    assert stale_after_s(5.0) == 50.0
    assert stale_after_s(0.1) == 30.0
