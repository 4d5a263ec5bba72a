"""What nodes agree on, as values: rows, and soft rows that live only as long as somebody repeats them.

    Row      kind + key -> value, version 1, 2, 3, ... and the epoch of the leader that wrote it; a decision, a drain
    SoftRow  kind + key -> value, for as long as its owner keeps saying so; an announcement, a vote, a load

A version belongs to its key and is never used twice, not even after a delete, so compare-and-set by version cannot be
fooled. What a newer program wrote is not guessed at: it is contained, and said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

FORMAT = 1
"""The shape of a row's envelope that this version writes and reads; rows of a higher one are contained."""
MAX_VALUE_BYTES = 64 * 1024
"""A decision with its evidence is a few KiB; what is larger is data and belongs elsewhere."""
MAX_ROWS = 10_000
"""Of all kinds together, deleted ones included: journals reuse their keys (`seq % size`) instead of deleting."""
MAX_EPOCH = 1 << 53
"""JSON's largest safe integer; a higher epoch is damage, not a leader."""
NAME = re.compile(r"[A-Za-z0-9_.:/@\[\]-]{1,200}")
"""Kinds and keys: what fits an endpoint's id, and a path of a URL without surprises."""

Known = TypeVar("Known")


class Row(msgspec.Struct, frozen=True):
    """One agreed fact. `value` None is a tombstone; readers of a store never meet one."""

    kind: str
    key: str
    value: dict[str, Any] | None
    version: int
    epoch: int = 0
    """Of the leader that wrote it last; 0 when no leader ever did."""
    format: int = FORMAT


class SoftRow(msgspec.Struct, frozen=True):
    """What somebody says now; gone `ttl_s` after it was last heard."""

    kind: str
    key: str
    value: dict[str, Any]
    age_s: float = 0.0
    """Since it was last heard here, by this node's monotonic clock."""


class Trouble(msgspec.Struct, frozen=True):
    """A row that is there and cannot be used; it stays as it is, and people are told."""

    kind: str
    key: str
    reason: str

    def __str__(self) -> str:
        return f"state row {self.kind}/{self.key}: {self.reason}"


class StateError(Exception):
    """Root of what a store refuses.

    StateError
    ├── Conflict      somebody else wrote first: read again, decide again
    ├── StaleEpoch    a newer leader has acted: stop acting
    ├── Unavailable   no majority (or no database) answered: nothing is known to have changed, it may have
    └── NotStorable   the row itself cannot be kept: too large, a name out of bounds, too many rows
    """


class Conflict(StateError):
    """`current` is what stands there now; None when there is no such row."""

    def __init__(self, message: str, current: Row | None = None) -> None:
        super().__init__(message)
        self.current = current


class StaleEpoch(StateError):
    """The store has seen a leader with a higher epoch."""


class Unavailable(StateError):
    """Decisions freeze until the store is back; traffic goes on."""


class NotStorable(StateError):
    """No retry will help."""


def checked(kind: str, key: str, value: dict[str, Any] | None, epoch: int | None) -> bytes:
    """The value as JSON. Raises `NotStorable`."""
    for name in (kind, key):
        if not NAME.fullmatch(name):
            raise NotStorable(f"found {name[:40]!r} as kind or key, expected 1 to 200 of letters, digits and _.:/@[]-")
    if epoch is not None and not 0 < epoch <= MAX_EPOCH:
        raise NotStorable(f"found the epoch {epoch}, expected 1 to {MAX_EPOCH}")
    try:
        encoded = msgspec.json.encode(value)
    except (TypeError, ValueError, UnicodeEncodeError) as error:
        raise NotStorable(f"found a value of {kind}/{key} that is no JSON: {error}") from error
    if len(encoded) > MAX_VALUE_BYTES:
        raise NotStorable(f"found {len(encoded)} bytes in {kind}/{key}, expected at most {MAX_VALUE_BYTES}")
    return encoded


def next_row(
    current: Row | None, kind: str, key: str, value: dict[str, Any] | None, *, expected: int | None, epoch: int | None
) -> Row:
    """The row that follows `current` (tombstones included). `expected` 0: there must be none; None: whatever is there.

    Raises `Conflict` or `StaleEpoch`; the fence over the whole store is the store's to check.
    """
    alive = current is not None and current.value is not None
    found = current.version if current is not None and alive else 0
    if expected is not None and expected != found:
        raise Conflict(f"found version {found} of {kind}/{key}, expected {expected}", current if alive else None)
    before = current.epoch if current is not None else 0
    if epoch is not None and epoch < before:
        raise StaleEpoch(f"found epoch {before} on {kind}/{key}, expected at most {epoch}")
    version = current.version + 1 if current is not None else 1
    return Row(kind, key, value, version, before if epoch is None else epoch)


def understood(rows: Iterable[Row], type_: type[Known]) -> tuple[list[tuple[Row, Known]], list[Trouble]]:
    """Rows with their values as `type_`, and the ones that a newer or a broken program wrote."""
    known: list[tuple[Row, Known]] = []
    troubles: list[Trouble] = []
    for row in rows:
        try:
            known.append((row, msgspec.convert(row.value, type_)))
        except msgspec.ValidationError as error:
            troubles.append(Trouble(row.kind, row.key, f"found a value of another shape: {error}"))
    return known, troubles
