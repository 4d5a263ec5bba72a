"""Schedules by the calendar, and times that were missed."""

from __future__ import annotations

from datetime import UTC, datetime

from config.core.cron import MISSED_AFTER_S, due, next_after

SUNDAY = datetime(2026, 11, 29, 4, 0, tzinfo=UTC).timestamp()
WEEKLY = "0 4 * * 0"


def test_the_next_time_is_after_and_never_now() -> None:
    assert next_after(WEEKLY, SUNDAY - 1.0) == SUNDAY
    assert next_after(WEEKLY, SUNDAY) == SUNDAY + 7 * 86400


def test_a_time_is_due_once() -> None:
    assert due(WEEKLY, last=SUNDAY - 86400, wall=SUNDAY - 1.0) is None
    assert due(WEEKLY, last=SUNDAY - 86400, wall=SUNDAY) == SUNDAY
    assert due(WEEKLY, last=SUNDAY - 86400, wall=SUNDAY + 60.0) == SUNDAY
    assert due(WEEKLY, last=SUNDAY, wall=SUNDAY + 60.0) is None


def test_a_time_that_nobody_could_begin_is_left_out() -> None:
    assert due(WEEKLY, last=SUNDAY - 86400, wall=SUNDAY + MISSED_AFTER_S + 1.0) is None
