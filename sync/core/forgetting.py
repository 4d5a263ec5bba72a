"""What may a store forget? Only what every member has seen, never by time alone.

Candidates come in the order in which they were superseded; the front of them goes, once it lies below the stable cut
and behind what feeds may still want. What is forgotten is remembered as two vectors: `pruned` (a peer below it needs a
snapshot) and `horizon` (all that forgotten tombstones had replaced: a feed's cursor below it has missed a delete, and
starts again from a list). A tombstone waits for all that its key ever saw, and holds up nothing else meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sync.core.dots import Dot, VersionVector, covers, includes, joined
from sync.core.versions import EMPTY, KeyState


class Candidate(NamedTuple):
    """A dot that its key no longer holds, or holds as a tombstone."""

    id: int
    origin: str
    seq: int
    key: str
    position: int | None
    """In the log; None when it is not there."""
    size: int
    """Of its log row, in bytes."""


@dataclass(slots=True)
class Forgotten:
    """What goes in one chunk."""

    pruned: VersionVector
    horizon: VersionVector
    horizon_position: int = 0
    is_at_end: bool = False
    """Whether what comes behind has to wait."""
    done: list[int] = field(default_factory=list)
    """Candidates that are dealt with."""
    positions: list[int] = field(default_factory=list)
    """Log rows."""
    keys: list[str] = field(default_factory=list)
    """Tombstones: nothing is left of them."""
    bytes: int = 0

    @property
    def count(self) -> int:
        """Operations forgotten."""
        return len(self.positions)


def forget(
    candidates: Iterable[Candidate],
    states: Mapping[str, KeyState],
    recorded: Collection[Dot],
    *,
    below: VersionVector,
    last_position: int,
    pruned: VersionVector,
    horizon: VersionVector,
) -> Forgotten:
    """Decide a chunk. `recorded`: those that a conflict record still shows; `last_position`: the last that may go."""
    found = Forgotten(pruned, horizon)
    now_held = dict(states)
    gone: set[Dot] = set()  # a tombstone is named again by every late write that it had deleted
    for one in candidates:
        dot = (one.origin, one.seq)
        if not covers(below, *dot) or (one.position is not None and one.position > last_position):
            found.is_at_end = True
            break
        state = now_held.get(one.key, EMPTY)
        if _is_tombstone(state, dot) and _may_go(state, dot) and not includes(below, state.context):
            continue  # a write that it deleted may still be on its way to somebody, and must find it
        found.done.append(one.id)
        if one.position is None or dot in recorded or dot in gone or not _may_go(state, dot):
            continue
        gone.add(dot)
        if _is_tombstone(state, dot):
            found.horizon = joined(found.horizon, state.context)
            found.horizon_position = max(found.horizon_position, one.position)
            found.keys.append(one.key)
            now_held[one.key] = EMPTY
        found.pruned = joined(found.pruned, {one.origin: one.seq})
        found.positions.append(one.position)
        found.bytes += one.size
    return found


def _may_go(state: KeyState, dot: Dot) -> bool:
    """Superseded, or a tombstone of a key that has nothing else."""
    holders = [version for version in state.versions if dot in version.dots]
    return not holders or (holders[0].is_deleted and len(state.versions) == 1)


def _is_tombstone(state: KeyState, dot: Dot) -> bool:
    return any(dot in version.dots and version.is_deleted for version in state.versions)
