"""May a process open as many files as its connection limits need? Asked at the start, and of every reload."""

from __future__ import annotations


def too_few(*, needed: int, may_open: int | None) -> str | None:
    """Why not, and what to do; None when they suffice. `may_open` is the hard limit, None without one."""
    if may_open is None or may_open >= needed:
        return None
    return (
        f"a process may open {may_open} files, its connection limits need {needed}; raise the limit "
        "(`ulimit -Hn`, LimitNOFILE= in systemd) or lower listeners[].limits.max_connections"
    )
