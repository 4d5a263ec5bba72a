"""What is known of scheduled drills: the rows that all nodes have, one a region (tidegate/admin/scheduled_drill.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from config.core import cron
from config.models.failover import Drill as DrillOptions
from health.core.rows import understood

if TYPE_CHECKING:
    from tidegate.node.control import Control

KIND = "drill"


class Rehearsed(msgspec.Struct, frozen=True):
    """The row."""

    scheduled: float
    began_at: float
    node: str
    run: str
    """Of the node that rehearses: another one has not begun it."""
    home: str
    """Who led before."""
    state: Literal["running", "done", "aborted", "interrupted"] = "running"
    report: dict[str, Any] = {}


def drill_options(control: Control) -> DrillOptions | None:
    recovery = control.configuration.loaded.config.disaster_recovery
    return None if recovery is None else recovery.drill


def rehearsed(control: Control) -> dict[str, Rehearsed]:
    """By region, the last drill of each."""
    found, _ = understood(control.state.rows(KIND), Rehearsed)
    return {row.key: one for row, one in found}


def shown(control: Control) -> dict[str, Any] | None:
    """For people: when the next one is, and what came of the last."""
    options = drill_options(control)
    if options is None:
        return None
    last = rehearsed(control).get(options.region)
    return {
        "region": options.region,
        "schedule": options.schedule,
        "next_at": cron.next_after(options.schedule, control.wall()),
        "last": None if last is None else msgspec.to_builtins(last),
    }
