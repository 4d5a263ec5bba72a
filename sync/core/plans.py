"""What holds for a collection? The configuration compiled for the data room: one plan a collection, one *stream* each.

    collection   what clients name in a URL
    stream       the unit of sequence, replication, permission and digest; one a collection, under its name
    class        the residency class, a collection's data type; one file, one key, one session token each

A region sees a whole stream or nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from config.core.residency import compile_policy
from config.models import Config, Sync
from config.models.sync import Collection
from sync.core.levels import Mode, ReadLevel, WriteLevel
from sync.core.policy import ConflictPolicy


@dataclass(frozen=True, slots=True)
class CollectionPlan:
    """One collection."""

    name: str
    """Also the name of its stream."""
    residency_class: str
    """Its data type."""
    conflict: ConflictPolicy
    resolver: str | None
    """module:function, with the policy custom."""
    max_siblings: int
    regions: tuple[str, ...]
    """Where it may and shall be kept, in the order of the configuration."""
    is_here: bool
    """Whether this node's region is one of them."""
    mode: Mode
    write_level: WriteLevel
    read_level: ReadLevel
    primary: str | None
    """The one region that takes writes, with the strategy primary."""
    is_encrypted: bool
    """Whether values are encrypted at rest."""
    importance: int
    """Lower goes first on a slow link."""


LAST_IN_LINE = 1_000_000
"""Importance of a data type that `sync.importance` does not name."""


def compile_plans(config: Config, *, now: float) -> Mapping[str, CollectionPlan]:
    """Plans by collection. `now` is wall time in seconds: agreements expire by the calendar."""
    sync = config.sync
    if sync is None:
        return {}
    policy = compile_policy(config)
    here = config.node.region
    encrypted = {rule.data_type for rule in config.residency.rules if rule.encryption == "required"}
    plans = {}
    for collection in sync.collections:
        permitted = tuple(
            region.id
            for region in config.regions
            if (collection.regions is None or region.id in collection.regions)
            and policy.may(
                collection.data_type, source=here or "", destination=region.id, purpose="replicate", now=now
            ).allowed
        )
        plans[collection.name] = _plan(collection, sync, permitted, here, collection.data_type in encrypted)
    return plans


def _plan(
    collection: Collection, sync: Sync, regions: tuple[str, ...], here: str | None, is_encrypted: bool
) -> CollectionPlan:
    conflict = collection.conflict
    return CollectionPlan(
        name=collection.name,
        residency_class=collection.data_type,
        conflict=conflict if isinstance(conflict, str) else "custom",
        resolver=None if isinstance(conflict, str) else conflict.custom,
        max_siblings=collection.max_siblings,
        regions=regions,
        is_here=here in regions,
        mode=collection.mode or sync.mode,
        write_level=collection.write_level,
        read_level=collection.read_level,
        primary=collection.primary,
        is_encrypted=is_encrypted,
        importance=sync.importance.get(collection.data_type, LAST_IN_LINE),
    )
