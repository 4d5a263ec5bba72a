"""Wall-clock time."""

from __future__ import annotations

from tidegate.node.wall import wall, written


def test_a_time_is_written_in_utc() -> None:
    assert written(0.5) == "1970-01-01T00:00:00.500Z"


def test_what_never_happened_has_no_time() -> None:
    assert written(None) is None


def test_wall_is_unix_seconds() -> None:
    assert wall() > 1_700_000_000
