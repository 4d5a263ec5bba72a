"""The readers of a class's file: keys, lists, feeds, conflicts, what peers lack, figures. One connection, no writes.

Every answer comes from one snapshot of the file: SQLite's WAL lets readers go on while the writer commits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from sync.cipher import Cipher
from sync.core.aftermath import IN_CONFLICT, LIVE, decode_loser
from sync.core.arrivals import applied_vector
from sync.core.dots import Dot, VersionVector, missing_ranges
from sync.core.feed import SCAN, Chosen, LogRow, choose, is_expired
from sync.core.operation import Sealed, decode_stored
from sync.core.versions import EMPTY, KeyState, decode_state
from sync.errors import CursorExpired, StoreUnavailable
from sync.sqlite.ledger import translated
from sync.store import (
    Body,
    Change,
    Changes,
    ConflictRecord,
    Cursor,
    Heads,
    HeldOperation,
    Listed,
    Record,
    StreamStats,
)

LAST: Final = "\U0010ffff"
"""Sorts behind every key that starts with what stands before it."""

_decode_vector: Final = msgspec.msgpack.Decoder(dict[str, int]).decode


class Views:
    """Questions to one file."""

    def __init__(self, connection: sqlite3.Connection, cipher: Cipher) -> None:
        self.connection = connection
        self._cipher = cipher

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """One moment of the file, for as long as it is held."""
        try:
            self.connection.execute("BEGIN")
            try:
                yield self.connection
            finally:
                self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise translated(error) from error

    def read(self, stream: str, key: str) -> Record | None:
        with self.snapshot():
            state = self._state(stream, key)
            if state is None:
                return None
            live = [version for version in state.versions if not version.is_deleted]
            return Record(key, state, tuple(Body(version, self._value(stream, version.dots)) for version in live))

    def list_keys(self, stream: str, *, prefix: str, after: str, limit: int, flag: int = LIVE) -> list[Listed]:
        with self.snapshot() as connection:
            if flag == IN_CONFLICT:
                source = "state INDEXED BY state_in_conflict"
                where, bounds = "key > ? AND flags >= 2", [after]
            else:
                source = "state"
                where, bounds = "key >= ? AND key <= ? AND key > ? AND flags & 1", [prefix, prefix + LAST, after]
            rows = connection.execute(
                f"SELECT key, state FROM {source} WHERE stream = ? AND {where} ORDER BY key LIMIT ?",  # noqa: S608 - ours
                (self.stream_id(stream), *bounds, limit),
            )
            return [Listed(key, decode_state(state)) for key, state in rows]

    def value_of(self, stream: str, dot: Dot) -> bytes | None:
        with self.snapshot():
            return self._value(stream, (dot,))

    # The feed

    def cursor(self, stream: str, origin: str) -> Cursor:
        with self.snapshot():
            return self._end(stream, origin)

    def changes(self, stream: str, since: Cursor | None, origin: str, *, limit: int, max_bytes: int) -> Changes:
        with self.snapshot() as connection:
            seen = since.applied if since is not None else {}
            position = self._start(stream, since, origin)
            # `+stream`: not by the index of streams, which would sort all of a stream for each page of it.
            rows = connection.execute(
                "SELECT n, name, seq, head, length(value) FROM log CROSS JOIN origin ON origin.id = log.origin"
                " WHERE n > ? AND +stream = ? ORDER BY n LIMIT ?",
                (position, self.stream_id(stream), SCAN),
            )
            page = choose(
                (LogRow(*row) for row in rows),
                lambda key: self._state(stream, key) or EMPTY,
                position_of=lambda dot: self._position_of(stream, dot),
                known={} if since is not None and since.origin == origin else seen,
                position=position,
                limit=limit,
                max_bytes=max_bytes,
            )
            changes = tuple(self._change(stream, one) for one in page.chosen)
            end = self._end(stream, origin)
            is_exhausted = page.position >= end.position
            applied = end.applied if is_exhausted else seen
            return Changes(changes, Cursor(stream, origin, page.position, applied), seen)

    def _change(self, stream: str, one: Chosen) -> Change:
        row = one.row
        value = None if one.operation.is_delete else self._value(stream, ((row.origin, row.seq),))
        return Change(row.position, one.operation, one.mark, value, is_current=True, version=one.version)

    def _position_of(self, stream: str, dot: Dot) -> int | None:
        row = self.connection.execute(
            "SELECT n FROM log WHERE stream = ? AND origin = (SELECT id FROM origin WHERE name = ?) AND seq = ?",
            (self.stream_id(stream), *dot),
        ).fetchone()
        return None if row is None else int(row[0])

    def _start(self, stream: str, since: Cursor | None, origin: str) -> int:
        """The position behind which the feed goes on. Raises CursorExpired."""
        if since is None:
            return 0
        row = self.connection.execute(
            "SELECT horizon, horizon_n FROM stream WHERE id = ?", (self.stream_id(stream),)
        ).fetchone()
        horizon, horizon_n = (_decode_vector(row[0]), row[1]) if row is not None else ({}, 0)
        own = since.position if since.origin == origin else None
        if is_expired(own, since.applied, horizon=horizon, horizon_position=horizon_n):
            raise CursorExpired("a cursor from before deletes that are forgotten, expected a later one")
        if own is not None:
            return own
        starts = []
        for id_, name in self.connection.execute("SELECT id, name FROM origin").fetchall():
            (first,) = self.connection.execute(
                "SELECT min(n) FROM log WHERE stream = ? AND origin = ? AND seq > ?",
                (self.stream_id(stream), id_, since.applied.get(name, 0)),
            ).fetchone()
            if first is not None:
                starts.append(first)
        return min(starts) - 1 if starts else self._end(stream, origin).position

    def _end(self, stream: str, origin: str) -> Cursor:
        row = self.connection.execute("SELECT position FROM stream WHERE name = ?", (stream,)).fetchone()
        return Cursor(stream, origin, 0 if row is None else row[0], self.vectors(stream).applied)

    # Conflicts

    def in_conflict(self, stream: str, *, after: str, limit: int) -> list[Listed]:
        return self.list_keys(stream, prefix="", after=after, limit=limit, flag=IN_CONFLICT)

    def conflict_log(self, stream: str, *, after: Dot | None, limit: int) -> list[ConflictRecord]:
        with self.snapshot() as connection:
            rows = connection.execute(
                "SELECT key, loser, winner_origin, winner_seq, detected_ms FROM conflict"
                " JOIN origin ON origin.id = conflict.origin WHERE stream = ? AND (name, seq) > (?, ?)"
                " ORDER BY name, seq LIMIT ?",
                (self.stream_id(stream), *(after or ("", 0)), limit),
            )
            return [
                ConflictRecord(key, decode_loser(loser), (origin, seq), detected)
                for key, loser, origin, seq, detected in rows
            ]

    # Peers

    def heads(self, stream: str) -> Heads:
        with self.snapshot():
            return self.vectors(stream)

    def operations_after(
        self, stream: str, have: Mapping[str, int], *, max_operations: int, max_bytes: int
    ) -> list[Sealed]:
        with self.snapshot() as connection:
            stream_id = self.stream_id(stream)
            row = connection.execute("SELECT pruned FROM stream WHERE id = ?", (stream_id,)).fetchone()
            pruned = {} if row is None else _decode_vector(row[0])
            found: list[Sealed] = []
            size = 0
            received = self.vectors(stream).received
            for origin, start in missing_ranges(have, received):
                if start < pruned.get(origin, 0):
                    raise CursorExpired(f"operations of {origin} up to {pruned[origin]} are forgotten; take a snapshot")
                for sealed in self._chain(stream, origin, start, received[origin]):
                    if found and (len(found) >= max_operations or size + sealed.size() > max_bytes):
                        return found
                    found.append(sealed)
                    size += sealed.size()
            return found

    def _chain(self, stream: str, origin: str, start: int, head: int) -> Iterator[Sealed]:
        """One origin's operations from behind `start` up to its head, held ones in their places."""
        (id_,) = self.connection.execute("SELECT id FROM origin WHERE name = ?", (origin,)).fetchone()
        columns = "seq, head, salt, value, cipher"
        rows = self.connection.execute(
            f"SELECT {columns} FROM log WHERE stream = ?1 AND origin = ?2 AND seq > ?3 AND seq <= ?4 UNION ALL"  # noqa: S608
            f" SELECT {columns} FROM held WHERE stream = ?1 AND origin = ?2 AND seq > ?3 AND seq <= ?4"
            " AND NOT EXISTS (SELECT 1 FROM log WHERE stream = ?1 AND origin = ?2 AND log.seq = held.seq) ORDER BY seq",
            (self.stream_id(stream), id_, start, head),
        )
        for seq, encoded, salt, stored, key_id in rows:
            if seq != start + 1:
                raise StoreUnavailable(f"operation {start + 1} of {origin} in {stream} is missing from the log")
            yield self._cipher.to_send(Sealed(encoded, salt, stored), key_id, stream, origin, seq)
            start = seq

    def acknowledged(self, stream: str) -> dict[str, VersionVector]:
        with self.snapshot() as connection:
            rows = connection.execute(
                "SELECT member, vector FROM acknowledged WHERE stream = ?", (self.stream_id(stream),)
            )
            return {member: _decode_vector(vector) for member, vector in rows}

    def held(self, stream: str, *, limit: int, reason: str | None = None) -> list[HeldOperation]:
        with self.snapshot() as connection:
            rows = connection.execute(
                "SELECT head, reason, visible_at FROM held WHERE stream = ?1 AND reason <> 'skipped'"
                " AND (?2 IS NULL OR reason = ?2) ORDER BY origin, seq LIMIT ?3",
                (self.stream_id(stream), reason, limit),
            )
            return [HeldOperation(decode_stored(head), reason, visible_at) for head, reason, visible_at in rows]

    def logged(self, stream: str, dots: Sequence[Dot]) -> list[Sealed]:
        with self.snapshot():
            found = [self.sealed(stream, dot) for dot in dots]
            return [one for one in found if one is not None and one.salt]

    def stats(self, stream: str) -> StreamStats:
        with self.snapshot() as connection:
            row = connection.execute(
                "SELECT keys, tombstones, in_conflict, log_operations, log_bytes, conflict_records, conflict_bytes,"
                " (SELECT count(*) FROM held WHERE held.stream = stream.id AND reason <> 'skipped'),"
                " (SELECT count(*) FROM held WHERE held.stream = stream.id AND reason = 'quarantined')"
                " FROM stream WHERE id = ?",
                (self.stream_id(stream),),
            ).fetchone()
            return StreamStats(*row) if row is not None else StreamStats(0, 0, 0, 0, 0, 0, 0, 0)

    # Within a snapshot

    def stream_id(self, name: str) -> int | None:
        """None before anything of it was written."""
        row = self.connection.execute("SELECT id FROM stream WHERE name = ?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def _state(self, stream: str, key: str) -> KeyState | None:
        row = self.connection.execute(
            "SELECT state.state FROM state JOIN stream ON stream.id = state.stream WHERE name = ? AND key = ?",
            (stream, key),
        ).fetchone()
        return None if row is None else decode_state(row[0])

    def sealed(self, stream: str, dot: Dot) -> Sealed | None:
        """An operation in the log, as it is sent. Within a snapshot."""
        row = self.connection.execute(
            "SELECT head, salt, value, cipher FROM log WHERE stream = (SELECT id FROM stream WHERE name = ?)"
            " AND origin = (SELECT id FROM origin WHERE name = ?) AND seq = ?",
            (stream, *dot),
        ).fetchone()
        return None if row is None else self._cipher.to_send(Sealed(row[0], row[1], row[2]), row[3], stream, *dot)

    def _value(self, stream: str, dots: tuple[Dot, ...]) -> bytes | None:
        for origin, seq in dots:
            row = self.connection.execute(
                "SELECT value, cipher FROM log WHERE stream = (SELECT id FROM stream WHERE name = ?)"
                " AND origin = (SELECT id FROM origin WHERE name = ?) AND seq = ?",
                (stream, origin, seq),
            ).fetchone()
            if row is not None:
                return self._cipher.open(row[0], row[1], stream, origin, seq)
        return None

    def vectors(self, stream: str) -> Heads:
        """How far it has come. Within a snapshot."""
        stream_id = self.stream_id(stream)
        received, digests = {}, {}
        for name, seq, digest in self.connection.execute(
            "SELECT name, seq, digest FROM head JOIN origin ON origin.id = head.origin WHERE stream = ?", (stream_id,)
        ):
            received[name], digests[name] = seq, digest
        # The first of each origin, by its place in the table: this is asked after every commit, however many are held.
        held = dict(
            self.connection.execute(
                "SELECT name, (SELECT seq FROM held WHERE held.stream = ? AND held.origin = origin.id"
                " AND reason <> 'skipped' ORDER BY seq LIMIT 1) AS first FROM origin WHERE first IS NOT NULL",
                (stream_id,),
            ).fetchall()
        )
        return Heads(received, applied_vector(received, held), digests)
