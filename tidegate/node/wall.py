"""Wall-clock time: for what people read and what must survive a restart, never for durations or leases."""

from __future__ import annotations

from datetime import UTC, datetime


def wall() -> float:
    """Unix seconds."""
    return datetime.now(UTC).timestamp()


def written(at: float | None) -> str | None:
    """RFC 3339 in UTC, None for what never happened."""
    return (
        None
        if at is None
        else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
