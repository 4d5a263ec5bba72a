"""Lag is what is missing, and since when; silence makes it grow."""

from __future__ import annotations

import pytest

from sync.core.lag import STALLED_AFTER_S, Lag, LagBook

A, B = "eu:aaaa.l1xx", "us:bbbb.l1xx"


def test_nothing_missing_is_no_lag_while_answers_are_fresh_and_grows_in_silence() -> None:
    book = LagBook(fresh_s=2.0)
    book.heard("notes", {A: 5}, {A: 5, B: 9}, now=10.0)
    assert book.lag("notes", now=11.5) == Lag(0, 0.0, is_stalled=False)
    assert book.lag("notes", now=70.0) == Lag(0, 60.0, is_stalled=False)


def test_what_is_missing_counts_over_all_origins_since_the_last_time_all_was_there() -> None:
    book = LagBook(fresh_s=2.0)
    book.heard("notes", {A: 5}, {A: 5}, now=10.0)
    book.heard("notes", {A: 8, B: 2}, {A: 6}, now=12.0)
    assert book.lag("notes", now=13.0) == Lag(4, 3.0, is_stalled=False)
    book.heard("notes", {A: 8, B: 2}, {A: 8, B: 2}, now=14.0)
    assert book.lag("notes", now=14.0) == Lag(0, 0.0, is_stalled=False)


def test_before_the_first_whole_moment_seconds_are_unknown_and_never_zero() -> None:
    book = LagBook(fresh_s=2.0)
    assert book.lag("notes", now=1.0) == Lag(0, None, is_stalled=False)
    book.heard("notes", {A: 5}, {}, now=10.0)
    assert book.lag("notes", now=11.0) == Lag(5, None, is_stalled=False)


@pytest.mark.parametrize(("applied", "is_stalled"), [(1, True), (2, False)])
def test_work_without_progress_is_a_stall_and_with_progress_is_not(applied: int, *, is_stalled: bool) -> None:
    book = LagBook(fresh_s=2.0)
    book.heard("notes", {A: 9}, {A: 1}, now=0.0)
    late = STALLED_AFTER_S + 1
    book.heard("notes", {A: 9}, {A: applied}, now=late)
    assert book.lag("notes", now=late + 1).is_stalled is is_stalled


def test_a_forgotten_stream_is_gone() -> None:
    book = LagBook(fresh_s=2.0)
    book.heard("notes", {A: 9}, {A: 1}, now=0.0)
    book.forget("notes")
    assert book.streams() == []
