"""How far is a region's data behind another's? From what every node says of what it lacks.

    sync process ──Status, each second──> control ──Said, soft row──> all nodes ──> behind(region, of=other)

A node says, of each peer, what it lacks of which collection and for how long, and since when that peer is silent. A
peer's silence counts as lag, for nobody knows what it has written meanwhile, until it is known to be dead: its region
is down by votes, or another node of that region still speaks. From then on only what was missing at its last sign of
life counts: the dead write nothing. What nobody has said is not known, and never taken for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from config.models.sync import Lag as Thresholds
from sync.core.dots import MAX_SEQUENCE, meet, region_of
from sync.core.plans import CollectionPlan

MAX_AGE_S = 5.0
"""What a node said longer ago says nothing of the present: four messages in a row may be lost."""


class LagLine(msgspec.Struct, frozen=True):
    """One collection here, towards one peer."""

    peer: str
    """Its address."""
    region: str
    collection: str
    operations: int
    seconds: float | None
    """None while the peer was never heard of this collection."""
    stalled: bool


class PeerLine(msgspec.Struct, frozen=True):
    """One peer."""

    peer: str
    region: str
    reached: bool
    problem: str
    operations: int
    bytes: int
    silent_s: float | None
    """Since its last answer; None when there was none."""
    clock_offset_s: float | None = None
    refused_collections: dict[str, str] = {}
    distrusted: list[dict[str, str]] = []


class SentLine(msgspec.Struct, frozen=True):
    """What went out to a region since the start."""

    collection: str
    region: str
    operations: int
    bytes: int


class CollectionLine(msgspec.Struct, frozen=True):
    """One collection as this store holds it."""

    collection: str
    written: int
    """Operations that this incarnation of the store has written."""
    arrived: int
    """Operations of others that are applied here."""
    keys: int
    in_conflict: int
    lost: int
    """Versions that lost by the clock, as far as the log of conflicts goes back."""
    held: int
    """Received, and not applied: of a clock too far ahead, or of a key that waits for such a one."""
    log_bytes: int
    quarantined: int = 0
    """Of those held: single operations that came damaged, or that the store refuses."""


class UpkeepLine(msgspec.Struct, frozen=True):
    """How one collection's long life goes, since the start of the sync process."""

    collection: str
    comparisons: int
    clean_comparisons: int
    repaired: int
    """Keys that this store held wrong: a bug, or a disk that rots."""
    suspected: int
    """Keys that a peer held wrong, as seen from here."""
    snapshots: int
    """Taken, for the peers' logs no longer reached back."""
    forgotten: int
    """Operations that every member has seen."""
    evicted: int
    """Members that nobody waits for now."""


class Status(msgspec.Struct, frozen=True):
    """What a sync process says of itself."""

    member: str
    peers: list[PeerLine]
    lag: list[LagLine]
    sent: list[SentLine]
    collections: list[CollectionLine]
    upkeep: list[UpkeepLine] = []


class Member(msgspec.Struct, frozen=True):
    """One store."""

    member: str
    """region:id."""
    heard_s: float | None
    """Since it was last heard; None when it was not since the start of the sync process."""
    applied: dict[str, dict[str, int]]
    """By collection and origin: the highest sequence applied."""
    lives: dict[str, str] = {}
    """By collection: the origin under which it writes now, as far as is known."""


class Progress(msgspec.Struct, frozen=True):
    """What stores have applied."""

    count: int
    """Grows with each change; of one run of the sync process."""
    own: str
    members: list[Member]
    """The own one too."""


class Behind(msgspec.Struct, frozen=True, array_like=True):
    """A collection that lacks something."""

    operations: int
    seconds: float | None
    stalled: bool


WHOLE = Behind(0, 0.0, stalled=False)


class Towards(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one node says of one peer."""

    region: str
    silent_s: float | None
    behind: dict[str, Behind] = {}
    """By collection; of those that are named in `Said.collections` and not here, it lacks nothing."""


class Said(msgspec.Struct, frozen=True):
    """What one node says: a soft row."""

    region: str
    collections: list[str]
    """What it keeps."""
    peers: dict[str, Towards]
    """By address."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The same, as it was heard."""

    node: str
    said: Said
    age_s: float


@dataclass(frozen=True, slots=True)
class RegionLag:
    """How far one region is behind another."""

    seconds: float | None
    """None: not known, and `why` says why."""
    operations: int
    why: str
    """One sentence."""


def said_of(status: Status, region: str) -> Said:
    """What this node tells the others; empty lines are left out, so that a mesh without lag says little."""
    behind: dict[str, dict[str, Behind]] = {}
    for line in status.lag:
        if line.seconds != 0 or line.operations or line.stalled:
            behind.setdefault(line.peer, {})[line.collection] = Behind(line.operations, line.seconds, line.stalled)
    peers = {one.peer: Towards(one.region, one.silent_s, behind.get(one.peer, {})) for one in status.peers}
    return Said(region, [one.collection for one in status.collections], peers)


def level_of(seconds: float | None, *, stalled: bool, thresholds: Thresholds) -> str:
    """ok, warning, critical; unknown while a peer was never heard."""
    if stalled or (seconds is not None and seconds >= thresholds.critical):
        return "critical"
    if seconds is None:
        return "unknown"
    return "warning" if seconds >= thresholds.warning else "ok"


def shared(plans: Mapping[str, CollectionPlan], one: str, other: str) -> list[str]:
    """Collections that both regions keep."""
    return [name for name, plan in plans.items() if one in plan.regions and other in plan.regions]


def region_lag(
    region: str, *, of: str, collections: Collection[str], heard: Iterable[Heard], down_for_s: float | None
) -> RegionLag:
    """How far `region` is behind `of`, in these collections.

    `down_for_s`: `of` is down by votes, and has given no sign of life for so long; None while it is not down.
    """
    if not collections:
        return RegionLag(0.0, 0, f"{region} keeps none of the collections of {of}")
    fresh = [one for one in heard if one.age_s <= MAX_AGE_S]
    ours = [one for one in fresh if one.said.region == region]
    if not ours:
        return RegionLag(None, 0, f"no node of {region} has said anything of its data for {MAX_AGE_S:g} s")
    dead_for_s = _dead(fresh, of, down_for_s)
    worst = RegionLag(0.0, 0, f"{region} lacks nothing of {of}")
    for node in ours:
        found = _node_lag(node, of, collections, dead_for_s)
        if found.seconds is None:
            return found
        if found.seconds > (worst.seconds or 0.0) or found.operations > worst.operations:
            worst = RegionLag(
                max(found.seconds, worst.seconds or 0.0), max(found.operations, worst.operations), found.why
            )
    return worst


def _dead(heard: Iterable[Heard], region: str, down_for_s: float | None) -> dict[str, float]:
    """For how long each peer of `region` has been dead, by its address; 0.0 where that is not known."""
    silent: dict[str, float] = {}
    for one in heard:
        for peer, line in one.said.peers.items():
            if line.region == region:
                silent_s = math.inf if line.silent_s is None else line.silent_s + one.age_s
                silent[peer] = min(silent.get(peer, math.inf), silent_s)
    shortest = min(silent.values(), default=0.0)
    dead = {}
    for peer, silent_s in silent.items():
        if silent_s > shortest + MAX_AGE_S:
            dead[peer] = silent_s  # the others of its region are not silent with it
        else:
            dead[peer] = 0.0 if down_for_s is None else min(silent_s, down_for_s)
    return dead


def _node_lag(node: Heard, of: str, collections: Collection[str], dead_for_s: Mapping[str, float]) -> RegionLag:
    towards = {peer: line for peer, line in node.said.peers.items() if line.region == of}
    missing = [name for name in collections if name not in node.said.collections]
    if not towards or missing:
        what = f"collection {missing[0]}" if missing else of
        return RegionLag(None, 0, f"node {node.node} says nothing of {what}: is its configuration the same?")
    worst, operations, why = 0.0, 0, f"node {node.node} lacks nothing of {of}"
    for peer, line in towards.items():
        if math.isinf(dead_for_s[peer]):
            continue  # nobody has ever heard it, though others of its region speak: it has never written
        for name in collections:
            behind = line.behind.get(name, WHOLE)
            if behind.seconds is None:
                return RegionLag(None, 0, f"node {node.node} has not yet heard of collection {name} from {peer}")
            seconds = behind.seconds + node.age_s - dead_for_s[peer]
            operations = max(operations, behind.operations)
            if seconds > worst:
                worst, why = seconds, f"node {node.node} is {seconds:.1f} s behind {peer} in collection {name}"
    return RegionLag(worst, operations, why)


RECENT_S = 3.0
"""A store that lives asks each second (sync/replication/pulling.py). One that is silent for longer holds nobody up, as
long as another of its region speaks."""
OWN = ""
"""In place of a region: the store of this very node (gateway/core/replicas.py)."""


def applied_by_region(
    progress: Progress, plans: Mapping[str, CollectionPlan], *, own_region: str
) -> dict[str, dict[str, dict[str, int]]]:
    """By region and collection: what every store there has applied, of all collections that the region keeps.

    Of a region whose stores were never heard it is nothing: nobody is said to have what nobody has confirmed.
    """
    found: dict[str, dict[str, dict[str, int]]] = {}
    for region in {region for plan in plans.values() for region in plan.regions}:
        members = [one for one in progress.members if region_of(one.member) == region]
        recent = [one for one in members if one.heard_s is not None and one.heard_s <= RECENT_S]
        found[region] = _applied(recent or members, plans, region)
    own = [one for one in progress.members if one.member == progress.own]
    return found | {OWN: _applied(own, plans, own_region)}


def _applied(
    members: Collection[Member], plans: Mapping[str, CollectionPlan], region: str
) -> dict[str, dict[str, int]]:
    return {
        name: meet([_with_own(one, name) for one in members]) for name, plan in plans.items() if region in plan.regions
    }


def _with_own(member: Member, collection: str) -> dict[str, int]:
    """What a store has, and all that it will ever write in this life: it always has that, though nobody has heard of it
    yet. What it wrote in earlier lives it may have lost: a backup is older than the disk that it replaces."""
    applied = dict(member.applied.get(collection, {}))
    life = member.lives.get(collection)
    return applied if life is None else applied | {life: MAX_SEQUENCE}


def lags_by_region(
    heard: Collection[Heard],
    plans: Mapping[str, CollectionPlan],
    *,
    own_node: str,
    own_region: str,
    down_for_s: Mapping[str, float],
) -> dict[str, dict[str, float | None]]:
    """By region and collection: seconds behind the furthest of all others that keep it; None where that is not known.

    `down_for_s`: regions that are down by votes (see `region_lag`).
    """
    elsewhere = [one for one in heard if one.said.region != own_region]
    own = [one for one in heard if one.node == own_node]
    found: dict[str, dict[str, float | None]] = {OWN: {}}
    for name, plan in plans.items():
        for region in plan.regions:
            others = [other for other in plan.regions if other != region]
            lags = [_seconds(region, other, name, heard, down_for_s) for other in others]
            found.setdefault(region, {})[name] = _worst(lags)
            if region == own_region:
                alone = [*elsewhere, *own]
                found[OWN][name] = _worst([_seconds(region, other, name, alone, down_for_s) for other in others])
    return found


def _seconds(
    region: str, other: str, collection: str, heard: Collection[Heard], down_for_s: Mapping[str, float]
) -> float | None:
    return region_lag(region, of=other, collections=[collection], heard=heard, down_for_s=down_for_s.get(other)).seconds


def _worst(lags: Collection[float | None]) -> float | None:
    known = [lag for lag in lags if lag is not None]
    return max(known, default=0.0) if len(known) == len(lags) else None
