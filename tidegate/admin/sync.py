"""`GET /v1/sync/lag`: how far every region is behind the others, by what all nodes say, and this node in detail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from config.models import Sync
from config.models.sync import Lag as Thresholds
from tidegate.node.core.replicated import MAX_AGE_S, RegionLag, level_of, shared

if TYPE_CHECKING:
    from tidegate.node.control import Control


def shown(control: Control) -> dict[str, Any]:
    """`enabled` false where this node keeps no data."""
    replicas, sync = control.replicas, control.configuration.loaded.config.sync
    if sync is None:
        return {"enabled": False}
    found: dict[str, Any] = {
        "enabled": True,
        "fresh": is_fresh(control),
        "age_s": replicas.age_s,
        "problem": replicas.problem or None,
        "thresholds": {"warning_s": sync.lag.warning, "critical_s": sync.lag.critical},
        "regions": regions(control),
        "nodes": [{"node": one.node, "region": one.said.region, "age_s": one.age_s} for one in replicas.heard()],
    }
    latest = replicas.latest
    if latest is not None:
        found |= {
            "lag": lines(control, sync),
            "sent": msgspec.to_builtins(latest.sent),
            "collections": msgspec.to_builtins(latest.collections),
        }
    return found


def is_fresh(control: Control) -> bool:
    """Whether what the sync process said last is of the present."""
    age_s = control.replicas.age_s
    return age_s is not None and age_s <= MAX_AGE_S


def lines(control: Control, sync: Sync) -> list[dict[str, Any]]:
    """This node's lag by peer and collection, each with its level."""
    latest = control.replicas.latest
    return [
        {
            "peer": line.peer,
            "region": line.region,
            "collection": line.collection,
            "operations": line.operations,
            "seconds": line.seconds,
            "stalled": line.stalled,
            "level": level_of(line.seconds, stalled=line.stalled, thresholds=sync.lag),
        }
        for line in (latest.lag if latest is not None else ())
    ]


def regions(control: Control) -> list[dict[str, Any]]:
    """Every pair of regions that keep a collection in common: how far the first is behind the second."""
    replicas, config = control.replicas, control.configuration.loaded.config
    thresholds = config.sync.lag if config.sync is not None else Thresholds()
    down = {name for name, ballot in control.failing_over.ballots().items() if ballot.is_down}
    names = [region.id for region in config.regions]
    return [
        _pair(name, other, replicas.lag(name, of=other, is_down=other in down), thresholds)
        for name in names
        for other in names
        if name != other and shared(replicas.plans(), name, other)
    ]


def _pair(region: str, other: str, lag: RegionLag, thresholds: Thresholds) -> dict[str, Any]:
    return {
        "region": region,
        "behind": other,
        "seconds": lag.seconds,
        "operations": lag.operations,
        "level": level_of(lag.seconds, stalled=False, thresholds=thresholds),
        "reason": lag.why,
    }
