"""Which operations make a page of the change feed? Those that their key still holds; superseded ones are passed over.

log rows behind the cursor, in order  ──>  known to the cursor's vector? its key holds it? is there room?  ──>  page

An event that a client sent to two regions lies in the log twice, under two dots of one version. It is told where the
first of them lies, and by the name that its key shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from sync.core.dots import Dot, VersionVector, covers, includes
from sync.core.operation import Operation, decode_stored, head_hash
from sync.core.versions import MARK_BYTES, KeyState, Version

SCAN: Final = 2000
"""Rows of the log looked at for one page, so that a page costs a bounded time whatever was superseded."""


class LogRow(NamedTuple):
    """An applied operation, without its value."""

    position: int
    origin: str
    seq: int
    head: bytes
    size: int
    """Of the value, as it is stored."""


class Chosen(NamedTuple):
    """One that makes the page."""

    row: LogRow
    operation: Operation
    mark: bytes
    version: str
    """As its key names it."""


class Page(NamedTuple):
    """`position`: what was looked at, up to and with."""

    chosen: list[Chosen]
    position: int


def choose(
    rows: Iterable[LogRow],
    state_of: Callable[[str], KeyState],
    *,
    position_of: Callable[[Dot], int | None],
    known: VersionVector,
    position: int,
    limit: int,
    max_bytes: int,
) -> Page:
    """A page, of at least one change if there is any. `known`: passed over; empty for a cursor of this store.

    `position_of`: in this store's log, of another dot of an event; None where it is not there.
    """
    chosen: list[Chosen] = []
    size = 0
    for row in rows:
        if covers(known, row.origin, row.seq):
            position = row.position
            continue
        operation = decode_stored(row.head)
        version = _holding(state_of(operation.key), row)
        if version is not None and not _is_told(version, row, position_of, known):
            if chosen and (len(chosen) >= limit or size + row.size > max_bytes):
                break
            chosen.append(Chosen(row, operation, head_hash(row.head)[:MARK_BYTES], version.name))
            size += row.size
        position = row.position
    return Page(chosen, position)


def _holding(state: KeyState, row: LogRow) -> Version | None:
    return next((version for version in state.versions if (row.origin, row.seq) in version.dots), None)


def _is_told(version: Version, row: LogRow, position_of: Callable[[Dot], int | None], known: VersionVector) -> bool:
    """Whether the reader has the event from another of its dots: by what it knew before, or further up in this log."""
    for dot in version.dots if version.also else ():
        if covers(known, *dot):
            return True
        other = None if dot == (row.origin, row.seq) else position_of(dot)
        if other is not None and other < row.position:
            return True
    return False


def is_expired(
    position: int | None, applied: Mapping[str, int], *, horizon: VersionVector, horizon_position: int
) -> bool:
    """Whether deletes behind a cursor are forgotten. `position`: of a cursor of this store, None of another's."""
    if position is not None:
        return position < horizon_position
    return not includes(applied, horizon)
