"""Two stores hold different things under one key: which of them is wrong, and what is right?

    compared    both have applied so much of the log that the difference should not be: anti-entropy
    absorbed    one has been away for longer than the other's log and tombstones reach back: a snapshot

Never by absence alone in a comparison: a store that lost a key must not talk the others into deleting it. What was
replaced leaves proof: a version that is held now, written by somebody who had read it. A key's context is no such
proof, for it covers all that an origin wrote before, lost or not. Where there is no proof the version is kept. A
snapshot may go by absence, but only for what deletes had replaced that were forgotten there (`horizon`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync.core.dots import covers, includes, joined
from sync.core.merging import join, union
from sync.core.policy import ConflictPolicy, Settled, settle
from sync.core.versions import KeyState


@dataclass(frozen=True, slots=True)
class Side:
    """What one store says of a stream."""

    applied: Mapping[str, int]
    horizon: Mapping[str, int]
    """What deletes had replaced that are forgotten there."""


def is_comparable(mine: Side, theirs: Side) -> bool:
    """Not with a store that has not seen deletes that are forgotten here: it needs a snapshot first."""
    return includes(theirs.applied, mine.horizon)


@dataclass(frozen=True, slots=True)
class Known:
    """One key in one store."""

    state: KeyState
    read: Mapping[str, int]
    """What the writers of its versions had read, all together."""


def compared(policy: ConflictPolicy, mine: Known, mine_applied: Mapping[str, int], theirs: Known) -> Settled | None:
    """What this store should hold of the key; None where it is right, or where the log will still bring it."""
    if not all(covers(mine_applied, *dot) for version in theirs.state.versions for dot in version.dots):
        return None  # every dot of an event: an alias may be under way as well
    settled = settle(policy, _together(mine, theirs, {}, {}))
    return None if shown(settled.state) == shown(mine.state) else settled


def absorbed(
    policy: ConflictPolicy,
    mine: Known,
    mine_horizon: Mapping[str, int],
    theirs: Known,
    theirs_horizon: Mapping[str, int],
) -> Settled:
    """What a store that catches up by a snapshot holds of the key; its own writes that nobody has seen stay."""
    return settle(policy, _together(mine, theirs, mine_horizon, theirs_horizon))


def shown(state: KeyState) -> frozenset[tuple[tuple[str, int], ...]]:
    """What counts for a reader: events, unless all of it is deleted."""
    return frozenset(version.dots for version in state.versions) if state.is_live else frozenset()


def living(state: KeyState) -> frozenset[tuple[tuple[str, int], ...]]:
    """The events that readers get. Where only tombstones beside them differ, no store is wrong: one may have forgotten
    a delete when a write arrived whose writer had read what was there before that delete."""
    return frozenset(version.dots for version in state.versions if not version.is_deleted)


def _together(mine: Known, theirs: Known, mine_forgot: Mapping[str, int], theirs_forgot: Mapping[str, int]) -> KeyState:
    both = join(
        KeyState(mine.state.versions, dict(mine.read)),
        KeyState(theirs.state.versions, dict(theirs.read)),
        one_forgot=mine_forgot,
        other_forgot=theirs_forgot,
    )
    if not both.versions and mine.state.versions and theirs.state.versions:
        # Each has dropped what the other kept: no history explains that. Nothing is thrown away on such grounds.
        return union(mine.state, theirs.state)
    return KeyState(both.versions, joined(mine.state.context, theirs.state.context))
