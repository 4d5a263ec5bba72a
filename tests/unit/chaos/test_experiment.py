"""Every column says what it is about."""

from __future__ import annotations

from chaos.experiments import COLUMNS


def test_every_column_says_given_when_then_in_one_line_and_has_a_name_of_its_own() -> None:
    assert all("\n" not in one.headline and "; when " in one.headline for one in COLUMNS)
    assert len({one.name for one in COLUMNS}) == len(COLUMNS)


def test_the_short_profile_has_six_columns_and_one_of_them_is_without_a_fault() -> None:
    short = [one.name for one in COLUMNS if one.in_short]
    assert len(short) == 6
    assert short[0] == "none"


def test_where_nothing_is_broken_nothing_may_fail() -> None:
    assert COLUMNS[0].bounds.failed_idempotent == 0
