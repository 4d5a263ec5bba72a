"""What becomes of a key when something is learned of it?

    version_of(operation)            what a write contributes
    apply(state, version, context)   one write that had read `context`: what it covers goes, what it had not seen stays
    join(state, state)               two stores' knowledge: a version goes when the other has seen it and dropped it

Both give the same whatever the order, however often. One origin's writes to a key must arrive in its order: then a
vector says exactly which dots were seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from sync.core.dots import Dot, covers, joined
from sync.core.operation import Operation
from sync.core.versions import MARK_BYTES, KeyState, Version


def version_of(operation: Operation, digest: bytes, *, with_event: bool) -> Version:
    """What an operation contributes to its key. `digest` is the hash of its head.

    `with_event`: whether aliases are one version. Not where the clock decides: stores that know only one of two
    aliases would order the event differently, each dropping what the other kept.
    """
    return Version(
        operation.origin,
        operation.seq,
        operation.hlc,
        digest[:MARK_BYTES],
        operation.is_delete,
        operation.content_type,
        operation.size,
        operation.written_ms,
        operation.client if with_event else "",
        operation.sequence if with_event else 0,
        operation.request if with_event else b"",
    )


def apply(state: KeyState, version: Version, context: Mapping[str, int], *, alias: Dot | None = None) -> KeyState:
    """Add one write. `alias`: a dot under which the same event is already known here, though perhaps superseded."""
    if covers(state.context, version.origin, version.seq):
        return _without_event(state, version) if version.client else state
    seen = joined(state.context, context)
    # Of one origin and key, everything before this write has arrived before it.
    seen[version.origin] = version.seq
    if not state.versions:
        is_known = alias is not None and covers(state.context, *alias)
        return KeyState(() if is_known else (version,), seen)
    twin = next((known for known in state.versions if known.is_same_event(version)), None)
    kept = [known for known in state.versions if known is not twin and not known.is_covered(context)]
    if twin is not None:
        kept.append(_united(twin, version))
    elif alias is None or not covers(state.context, *alias):
        kept.append(version)
    return KeyState(_ordered(kept), seen)


def _without_event(state: KeyState, version: Version) -> KeyState:
    """A dot that was overwritten before it arrived takes its aliases along."""
    kept = tuple(known for known in state.versions if not known.is_same_event(version) or version.dot in known.dots)
    return state if len(kept) == len(state.versions) else KeyState(kept, state.context)


def join(
    one: KeyState, other: KeyState, *, one_forgot: Mapping[str, int] = {}, other_forgot: Mapping[str, int] = {}
) -> KeyState:
    """What both know together.

    `one_forgot`, `other_forgot`: of deletes that a store no longer remembers, what they had replaced. What lies below
    and is not held was dropped there.
    """
    if one == other:
        return one
    kept = [
        version
        for version in _without_twins((*one.versions, *other.versions))
        if not _was_dropped(version, one, one_forgot) and not _was_dropped(version, other, other_forgot)
    ]
    return KeyState(_ordered(kept), joined(one.context, other.context))


def _was_dropped(version: Version, state: KeyState, forgotten: Mapping[str, int]) -> bool:
    """Whether the state has seen the event under any of its dots, and holds it no more."""
    return any(
        (covers(state.context, *dot) or covers(forgotten, *dot))
        and all(dot not in known.dots for known in state.versions)
        for dot in version.dots
    )


def union(one: KeyState, other: KeyState) -> KeyState:
    """The versions of both, whatever either has seen."""
    both = _without_twins((*one.versions, *other.versions))
    return KeyState(_ordered(both), joined(one.context, other.context))


def _shares_a_dot(one: Version, other: Version) -> bool:
    if one.dot == other.dot:
        return True
    if not one.also and not other.also:
        return False
    return not set(one.dots).isdisjoint(other.dots)


def _united(one: Version, other: Version) -> Version:
    """One event under its lowest dot."""
    first, second = (one, other) if one.dot <= other.dot else (other, one)
    also = {*first.also, *second.also, second.dot} - {first.dot}
    if also == set(first.also):
        return first
    return msgspec.structs.replace(first, also=tuple(sorted(also)))


def _without_twins(versions: Iterable[Version]) -> list[Version]:
    result: list[Version] = []
    for version in versions:
        twin = next((known for known in result if known.is_same_event(version) or _shares_a_dot(known, version)), None)
        if twin is None:
            result.append(version)
        else:
            result[result.index(twin)] = _united(twin, version)
    return result


def _ordered(versions: list[Version]) -> tuple[Version, ...]:
    if len(versions) > 1:
        versions.sort(key=lambda version: version.dot)
    return tuple(versions)
