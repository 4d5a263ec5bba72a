"""The readers' side of comparing and copying: digests of key ranges, pages of key states, where a log goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from sync.core.absorbing import Entry, Page
from sync.core.digests import HALF_BITS, HALF_MASK, Digest, KeyRange
from sync.core.op_ids import Done, OpId
from sync.core.operation import Sealed, decode_stored
from sync.core.versions import KeyState, Version, decode_state
from sync.errors import StoreUnavailable
from sync.sqlite.views import LAST, Views
from sync.store import Base, Digests

_decode_vector: Final = msgspec.msgpack.Decoder(dict[str, int]).decode


class Copies:
    """Questions to one file, on its reader's connection."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def digests(self, stream: str, ranges: Sequence[KeyRange]) -> Digests:
        select = (
            f"SELECT count(*), coalesce(sum(digest & {HALF_MASK}), 0), coalesce(sum(digest >> {HALF_BITS}), 0)"  # noqa: S608
            " FROM state WHERE stream = ? AND key > ? AND key <= ? AND digest != 0"
        )
        with self._views.snapshot() as connection:
            found = [connection.execute(select, self._bounds(stream, one)).fetchone() for one in ranges]
            return Digests(
                self._views.vectors(stream).applied, self._horizon(stream), tuple(Digest(*row) for row in found)
            )

    def split(self, stream: str, within: KeyRange, *, pieces: int) -> list[str]:
        with self._views.snapshot() as connection:
            where = "FROM state WHERE stream = ? AND key > ? AND key <= ? AND digest != 0"
            (keys,) = connection.execute(f"SELECT count(*) {where}", self._bounds(stream, within)).fetchone()
            step = max(1, -(-keys // pieces))
            bounds: list[str] = []
            at = within
            for _ in range(-(-keys // step) - 1):
                row = connection.execute(
                    f"SELECT key {where} ORDER BY key LIMIT 1 OFFSET {step - 1}",
                    self._bounds(stream, at),
                ).fetchone()
                bounds.append(row[0])
                at = KeyRange(row[0], within.upto)
            return bounds

    def page(self, stream: str, within: KeyRange, *, limit: int, max_bytes: int) -> Page:
        with self._views.snapshot() as connection:
            rows = connection.execute(
                "SELECT key, state FROM state WHERE stream = ? AND key > ? AND key <= ? ORDER BY key LIMIT ?",
                (*self._bounds(stream, within), limit + 1),
            )
            entries: list[Entry] = []
            size = 0
            going_on = None
            for key, encoded in rows:
                state = decode_state(encoded)
                operations = tuple(self._operation(stream, version) for version in state.versions)
                aliases = tuple(self._aliases(stream, state))
                size += len(encoded) + sum(sealed.size() for sealed in (*operations, *aliases))
                if entries and (len(entries) >= limit or size > max_bytes):
                    going_on = entries[-1].key
                    break
                entries.append(Entry(key, state, operations, aliases))
            return Page(self._views.vectors(stream).applied, self._horizon(stream), tuple(entries), going_on)

    def base(self, stream: str) -> Base:
        with self._views.snapshot() as connection:
            heads = self._views.vectors(stream)
            base: Base = {}
            for origin, seq in heads.applied.items():
                if seq == heads.received[origin]:
                    base[origin] = (seq, heads.digests[origin])
                    continue
                # What comes next is held, and names it.
                (head,) = connection.execute(
                    "SELECT head FROM held WHERE stream = (SELECT id FROM stream WHERE name = ?)"
                    " AND origin = (SELECT id FROM origin WHERE name = ?) AND seq = ?",
                    (stream, origin, seq + 1),
                ).fetchone()
                base[origin] = (seq, decode_stored(head).previous)
            return base

    def remembered(self, after: OpId | None, *, limit: int) -> list[tuple[OpId, Done]]:
        bounds = ("", 0) if after is None else (after.client, after.sequence)
        with self._views.snapshot() as connection:
            rows = connection.execute(
                "SELECT client, sequence, request, name, seq, status FROM done JOIN origin ON origin.id = done.origin"
                " WHERE (client, sequence) > (?, ?) ORDER BY client, sequence LIMIT ?",
                (*bounds, limit),
            )
            return [(OpId(client, sequence), Done(*done)) for client, sequence, *done in rows]

    def notes(self, stream: str) -> dict[str, bytes]:
        with self._views.snapshot() as connection:
            select = "SELECT name, value FROM note WHERE stream = (SELECT id FROM stream WHERE name = ?)"
            return dict(connection.execute(select, (stream,)).fetchall())

    # Within a snapshot

    def _bounds(self, stream: str, within: KeyRange) -> tuple[int | None, str, str]:
        return self._views.stream_id(stream), within.after, LAST if within.upto is None else within.upto

    def _operation(self, stream: str, version: Version) -> Sealed:
        sealed = self._views.sealed(stream, version.dot)
        if sealed is None:
            raise StoreUnavailable(f"operation {version.name} of {stream} is missing from the log")
        return sealed

    def _aliases(self, stream: str, state: KeyState) -> Iterator[Sealed]:
        """Of events that were sent twice: those that are here, and whole."""
        for dot in (dot for version in state.versions for dot in version.also):
            sealed = self._views.sealed(stream, dot)
            if sealed is not None and sealed.salt:
                yield sealed

    def _horizon(self, stream: str) -> dict[str, int]:
        with_id = self._views.connection.execute("SELECT horizon FROM stream WHERE name = ?", (stream,)).fetchone()
        return {} if with_id is None else _decode_vector(with_id[0])
