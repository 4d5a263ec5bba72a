"""Which of another store's conflict records may be taken over? With a snapshot come the losses that the others know.

    verified   the loser is what its operation says, the value the one that was written
    lost       the key does not hold it here: whoever knows better than the record is right
    bounded    half of what the store may keep of such records stays free for its own
    out        records as they are kept, known by the loser's dot, with the time at which they were found there

One that is not sound is left out and no fault of the snapshot: it is news of the past, and no state hangs on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from sync.core.absorbing import is_of
from sync.core.aftermath import LossRecord, record_of
from sync.core.dots import Dot
from sync.core.local_batch import Appended
from sync.core.merging import version_of
from sync.core.operation import Malformed, Sealed, decode_head, head_hash, verify_value
from sync.core.versions import EMPTY, KeyState, Version


class KnownLoss(msgspec.Struct, frozen=True, array_like=True):
    """A version that lost to a concurrent one by the clock, as another store recorded it."""

    key: str
    loser: Version
    winner: Dot
    detected_ms: int
    operation: Sealed | None
    """Of the loser; None where its value is forgotten."""


class Recordable(NamedTuple):
    """What is to be written down of one."""

    record: LossRecord
    detected_ms: int
    appended: Appended
    """Its row must be in the log: the record shows its value."""


def recordable(
    stream: str, losses: Iterable[KnownLoss], states: Mapping[str, KeyState], *, room: int
) -> list[Recordable]:
    """Those that may be taken over. `states`: of their keys, here; `room`: bytes that they may take."""
    found = []
    for one in losses:
        held = {dot for version in states.get(one.key, EMPTY).versions for dot in version.dots}
        appended = None if one.loser.dot in held else _verified(stream, one)
        if appended is None:
            continue
        record = record_of(stream, one.key, one.loser, one.winner)
        room -= record.size
        if room < 0:
            break
        found.append(Recordable(record, one.detected_ms, appended))
    return found


def room_for(max_conflict_bytes: int, conflict_bytes: int) -> int:
    """Half of what a store may keep: a full conflict log refuses local writes."""
    return max_conflict_bytes // 2 - conflict_bytes


def _verified(stream: str, one: KnownLoss) -> Appended | None:
    if one.operation is None:
        return None
    try:
        operation, digest = decode_head(one.operation.head), head_hash(one.operation.head)
        verify_value(operation, one.operation)
    except Malformed:
        return None
    is_sound = (
        operation.stream == stream
        and operation.key == one.key
        and is_of(one.loser, version_of(operation, digest, with_event=False))
    )
    return Appended(operation, one.operation, digest) if is_sound else None
