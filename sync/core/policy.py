"""What becomes of concurrent versions? One policy a collection.

    last_write_wins   one version stays: the highest (stamp, origin, seq, mark); the others are *lost*, and recorded
    vector_clock      all stay, until somebody writes who has read them
    custom            all stay; readers get what a function of the operator's makes of them (a view, never a write)
    manual            all stay, and wait in a queue for a person

Causality has decided before a policy is asked: what a write had read, it replaces. A write without a context (*blind*)
replaces what this store holds under last_write_wins, and stands beside it under the others. There the number of
versions is bounded for local writes; what other stores already acknowledged is never turned away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from sync.core.dots import Dot, VersionVector
from sync.core.merging import apply
from sync.core.versions import KeyState, Version

ConflictPolicy = Literal["last_write_wins", "vector_clock", "custom", "manual"]


class Loss(NamedTuple):
    """A version that a concurrent one displaced by the clock. Known by the loser's dot: stores unite their records."""

    loser: Version
    winner: Version


class Settled(NamedTuple):
    """A key's state after its policy."""

    state: KeyState
    losses: tuple[Loss, ...] = ()


def keeps_siblings(policy: ConflictPolicy) -> bool:
    return policy != "last_write_wins"


def settle(policy: ConflictPolicy, state: KeyState) -> Settled:
    """Leave what the policy leaves. The same state gives the same on every store."""
    if keeps_siblings(policy) or len(state.versions) < 2:
        return Settled(state)
    winner = max(state.versions, key=lambda version: version.order)
    losses = tuple(Loss(version, winner) for version in state.versions if version is not winner)
    return Settled(KeyState((winner,), state.context), losses)


def arrive(
    policy: ConflictPolicy,
    state: KeyState,
    version: Version,
    context: Mapping[str, int],
    *,
    alias: Dot | None = None,
) -> Settled:
    """Apply one write to a key under its policy. The newcomer itself may be what is lost."""
    return settle(policy, apply(state, version, context, alias=alias))


def context_of_write(policy: ConflictPolicy, state: KeyState, given: VersionVector | None) -> VersionVector:
    """What a local write is taken to have read. `given`: the client's context, None for a blind write."""
    if given is not None:
        return given
    return {} if keeps_siblings(policy) else state.context


def is_too_crowded(before: KeyState, after: KeyState, *, max_siblings: int) -> bool:
    """Whether a local write would push a key past its bound; one that leaves fewer than before never does."""
    return len(after.versions) > max_siblings and len(after.versions) > len(before.versions)
