"""What does a batch leave to be written down, beside the log? The same rows in every store, worked out once.

    states       what is true of each changed key, with the flags that lists go by
    superseded   dots whose log rows may go once every member has seen them, in the order in which they came to that
    losses       versions that lost by the clock
    tallies      what it adds to the figures of each stream

`key_flags`: 1 live, 2 in conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from sync.core.dots import Dot
from sync.core.local_batch import Appended
from sync.core.op_ids import Done, OpId
from sync.core.policy import Loss
from sync.core.versions import EMPTY, KeyState, Version

LIVE: Final = 1
IN_CONFLICT: Final = 2

Place = tuple[str, str]
"""Stream and key."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_version: Final = msgspec.msgpack.Decoder(Version).decode


@dataclass(slots=True)
class Tally:
    """What a batch adds to the figures of a stream."""

    keys: int = 0
    tombstones: int = 0
    in_conflict: int = 0
    log_operations: int = 0
    log_bytes: int = 0
    conflict_records: int = 0
    conflict_bytes: int = 0


@dataclass(slots=True)
class Tallies:
    """By stream."""

    by_stream: dict[str, Tally] = field(default_factory=dict)

    def of(self, stream: str) -> Tally:
        return self.by_stream.setdefault(stream, Tally())

    def count(self, stream: str, before: KeyState, after: KeyState) -> None:
        """A key's way from one state to another."""
        tally = self.of(stream)
        is_live, was_live = after.is_live, before.is_live
        tally.keys += is_live - was_live
        tally.tombstones += (bool(after.versions) and not is_live) - (bool(before.versions) and not was_live)
        tally.in_conflict += after.is_conflicted - before.is_conflicted


class LossRecord(NamedTuple):
    """A version that lost, as it is kept. Known by the loser's dot: the same loss found twice is one record."""

    stream: str
    key: str
    loser: Dot
    version: bytes
    winner: Dot
    size: int
    """What it counts towards the conflict log's bound, with the value that it keeps in the log."""


def key_flags(state: KeyState) -> int:
    return (LIVE if state.is_live else 0) | (IN_CONFLICT if state.is_conflicted else 0)


def superseded(
    before: Mapping[Place, KeyState],
    changed: Mapping[Place, KeyState],
    appended: Sequence[Appended],
    losses: Iterable[tuple[str, str, Loss]],
) -> list[tuple[Place, Dot]]:
    """Dots that their keys no longer hold, or hold as a tombstone. Losers come to it later, with their records."""
    candidates: dict[Place, set[Dot]] = {
        place: {dot for version in before[place].versions for dot in version.dots}
        for place in changed
        if place in before and before[place].versions
    }
    for one in appended:
        operation = one.operation
        place, dot = (operation.stream, operation.key), (operation.origin, operation.seq)
        dots = candidates.get(place)
        if dots is not None:
            dots.add(dot)
        elif operation.is_delete or changed[place].versions[0].dot != dot:
            candidates[place] = {dot}
    lost = {loss.loser.dot for _, _, loss in losses}
    return [
        (place, dot)
        for place, dots in candidates.items()
        for dot in sorted(dots - _held_by(changed.get(place, EMPTY)) - lost)
    ]


def _held_by(state: KeyState) -> set[Dot]:
    return {dot for version in state.versions if not version.is_deleted for dot in version.dots}


def loss_records(losses: Iterable[tuple[str, str, Loss]]) -> list[LossRecord]:
    records = []
    for stream, key, loss in losses:
        records.append(record_of(stream, key, loss.loser, loss.winner.dot))
    return records


def record_of(stream: str, key: str, loser: Version, winner: Dot) -> LossRecord:
    encoded = _encode(loser)
    return LossRecord(stream, key, loser.dot, encoded, winner, len(encoded) + len(key) + loser.size)


def decode_loser(encoded: bytes) -> Version:
    return _decode_version(encoded)


def highest_sequences(done: Mapping[OpId, Done]) -> dict[str, int]:
    """The largest sequence done, by client that numbers what it sends."""
    highest: dict[str, int] = {}
    for op_id in done:
        if not op_id.is_passing:
            highest[op_id.client] = max(highest.get(op_id.client, 0), op_id.sequence)
    return highest
