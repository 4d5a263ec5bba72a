"""When is a schedule due? Five fields as cron has them, by UTC, so that all nodes of a system mean the same moment."""

from __future__ import annotations

from datetime import UTC, datetime

from cronsim import CronSim

MISSED_AFTER_S = 600.0
"""What nobody could begin for so long is left out: four in the morning is meant, not whenever somebody comes back."""


def next_after(schedule: str, wall: float) -> float:
    """Unix seconds of the first time after `wall`."""
    return next(CronSim(schedule, datetime.fromtimestamp(wall, tz=UTC))).timestamp()


def due(schedule: str, *, last: float, wall: float) -> float | None:
    """The time that has come since `last`, when there is one that was not missed. All in Unix seconds."""
    scheduled = next_after(schedule, max(last, wall - MISSED_AFTER_S))
    return scheduled if scheduled <= wall else None
