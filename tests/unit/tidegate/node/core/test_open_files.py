"""Whether the limit on open files carries the limits on connections."""

from __future__ import annotations

from tidegate.node.core.open_files import too_few


def test_enough_is_enough() -> None:
    assert too_few(needed=1000, may_open=1000) is None
    assert too_few(needed=10**9, may_open=None) is None


def test_too_few_are_told_with_both_numbers_and_what_to_do() -> None:
    assert too_few(needed=1001, may_open=1000) == (
        "a process may open 1000 files, its connection limits need 1001; raise the limit "
        "(`ulimit -Hn`, LimitNOFILE= in systemd) or lower listeners[].limits.max_connections"
    )
