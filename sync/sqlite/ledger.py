"""The one writer of a class's file: every batch is judged by the pure core and committed in one transaction.

    write(asked)          local writes of many callers, together: one LocalBatch, one fsync
    receive(operations)   a peer's batch: one ArrivalBatch            (sync/sqlite/arrivals.py)
    prune, erase ...      forgetting                                  (sync/sqlite/pruning.py)

What is remembered between batches (ids, heads, the clock) is dropped when a transaction fails, and read again. It runs
on one lane and knows nothing of loops or threads.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import msgspec

from sync.cipher import Cipher
from sync.core.aftermath import LossRecord, Tallies, highest_sequences, key_flags, loss_records, superseded
from sync.core.clock import Clock
from sync.core.digests import key_digest
from sync.core.dots import VersionVector
from sync.core.local_batch import Appended, Head, LocalBatch
from sync.core.op_ids import WINDOW, Done, OpId
from sync.core.operation import SALT_BYTES, Operation
from sync.core.plans import CollectionPlan
from sync.core.policy import Loss
from sync.core.versions import EMPTY, KeyState, decode_state, encode_state
from sync.core.writes import Refusal, Write, Written
from sync.errors import StoreFull, StoreUnavailable, Unstorable
from sync.sqlite import rows

_decode_vector: Final = msgspec.msgpack.Decoder(dict[str, int]).decode


@dataclass(slots=True)
class Committing:
    """What one transaction is about to write, and has written."""

    now: float
    tallies: Tallies = field(default_factory=Tallies)
    positions: dict[str, int] = field(default_factory=dict)
    """Last position of the feed, by stream that moved."""


UPSERT_DONE: Final = (
    "INSERT INTO done VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
    " SET origin = excluded.origin, seq = excluded.seq, status = excluded.status WHERE request = excluded.request"
)
"""What another store remembers of the same event is older: this one did it again because it had lost it."""


class Ledger:
    """The write side of one file. `origin` and `clock` are of this incarnation."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        plans: Mapping[str, CollectionPlan],
        clock: Clock,
        cipher: Cipher,
        chance: Callable[[int], bytes],
        max_conflict_bytes: int,
    ) -> None:
        self.connection = connection
        self.plans = plans
        self.clock = clock
        self.cipher = cipher
        self.chance = chance
        self.max_conflict_bytes = max_conflict_bytes
        self.origin = ""
        self.position = 0
        self.heads: dict[str, Head] = {}
        self.conflict_bytes = 0
        self.ahead: set[tuple[str, str, int]] = set()
        """(stream, origin, seq) of rows in the log that a snapshot brought before they were applied: the head of their
        origin is not there yet, or they are held."""
        self._streams: dict[str, int] = {}
        self._origins: dict[str, int] = {}
        self.on_commit: Callable[[Mapping[str, int]], None] = lambda _: None
        """Told the feed's new last positions, by stream, after they are durable."""
        self.reload()

    def reload(self) -> None:
        """Take up what the file says."""
        meta = dict(self.connection.execute("SELECT name, value FROM meta"))
        self.origin = str(meta["origin"])
        self.clock.last = max(self.clock.last, int(meta.get("clock", 0)))
        (self.position,) = self.connection.execute("SELECT coalesce(max(position), 0) FROM stream").fetchone()
        self._streams = {name: id_ for id_, name in self.connection.execute("SELECT id, name FROM stream")}
        self._origins = {name: id_ for id_, name in self.connection.execute("SELECT id, name FROM origin")}
        (self.conflict_bytes,) = self.connection.execute(
            "SELECT coalesce(sum(conflict_bytes), 0) FROM stream"
        ).fetchone()
        self.heads = {stream: self.head(stream, self.origin) for stream in self.plans}
        self.ahead = self._rows_ahead()

    def _rows_ahead(self) -> set[tuple[str, str, int]]:
        select = (
            "SELECT stream.name, origin.name, log.seq FROM stream CROSS JOIN origin LEFT JOIN head"
            " ON head.stream = stream.id AND head.origin = origin.id CROSS JOIN log"
            " ON log.stream = stream.id AND log.origin = origin.id AND log.seq > coalesce(head.seq, 0)"
            " UNION ALL SELECT stream.name, origin.name, held.seq FROM held CROSS JOIN log"
            " ON log.stream = held.stream AND log.origin = held.origin AND log.seq = held.seq"
            " JOIN stream ON stream.id = held.stream JOIN origin ON origin.id = held.origin"
        )
        return {(stream, origin, seq) for stream, origin, seq in self.connection.execute(select)}

    @contextmanager
    def transaction(self, *, now: float) -> Iterator[Committing]:
        """All of it or nothing. Raises StoreFull or StoreUnavailable."""
        committing = Committing(now)
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield committing
            self._write_figures(committing)
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._back_out()
            raise translated(error) from error
        except BaseException:
            self._back_out()
            raise
        if committing.positions:
            self.on_commit(committing.positions)

    def _back_out(self) -> None:
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            self.reload()
        except sqlite3.Error as error:
            raise translated(error) from error

    # Local writes

    def write(self, asked: Sequence[tuple[Write, float]]) -> list[Written | Refusal]:
        """Judge and commit, in order. Each write comes with its own `now`."""
        now = asked[-1][1]
        with self.transaction(now=now) as committing:
            writes = [write for write, _ in asked]
            before = self.states({(write.stream, write.key) for write in writes})
            op_ids = [write.op_id for write in writes if write.op_id is not None]
            batch = LocalBatch(
                origin=self.origin,
                clock=self.clock,
                plans=self.plans,
                heads=self.heads,
                states=dict(before),
                done=self.remembered(op_ids),
                highest=self.highest({op_id.client for op_id in op_ids if not op_id.is_passing}),
                bodies=self._bodies(writes, before),
                has_conflict_room=self.conflict_bytes < self.max_conflict_bytes,
            )
            salts = self.chance(SALT_BYTES * len(asked))
            results = [
                batch.take(write, salt=salts[at * SALT_BYTES : (at + 1) * SALT_BYTES], now=when)
                for at, (write, when) in enumerate(asked)
            ]
            self.append(batch.appended, committing)
            self.put_states(before, batch.changed, batch.appended, batch.losses, committing)
            self.put_losses(batch.losses, committing)
            self.put_done(batch.newly_done, now)
            for stream in {one.operation.stream for one in batch.appended}:
                self.put_head(stream, self.origin, self.heads[stream])
        return results

    # Rows, for every kind of batch. Inside a transaction.

    def stream_id(self, name: str) -> int:
        return self._id_of(self._streams, "stream", name)

    def origin_id(self, name: str) -> int:
        return self._id_of(self._origins, "origin", name)

    def _id_of(self, known: dict[str, int], table: str, name: str) -> int:
        id_ = known.get(name)
        if id_ is None:
            self.connection.execute(f"INSERT OR IGNORE INTO {table} (name) VALUES (?)", (name,))  # noqa: S608 - ours
            (id_,) = self.connection.execute(f"SELECT id FROM {table} WHERE name = ?", (name,)).fetchone()  # noqa: S608
            known[name] = id_
        return id_

    def head(self, stream: str, origin: str) -> Head:
        row = self.connection.execute(
            "SELECT seq, digest FROM head WHERE stream = ? AND origin = ?",
            (self._streams.get(stream), self._origins.get(origin)),
        ).fetchone()
        return Head() if row is None else Head(*row)

    def put_head(self, stream: str, origin: str, head: Head) -> None:
        self.connection.execute(
            "INSERT OR REPLACE INTO head VALUES (?, ?, ?, ?)",
            (self.stream_id(stream), self.origin_id(origin), head.seq, head.digest),
        )

    def states(self, places: set[tuple[str, str]]) -> dict[tuple[str, str], KeyState]:
        keys: dict[str, list[str]] = {}
        for stream, key in places:
            keys.setdefault(stream, []).append(key)
        select = "SELECT key, state FROM state WHERE stream = ? AND key IN"
        return {
            (stream, key): decode_state(state)
            for stream, of_stream in keys.items()
            for key, state in rows.select(self.connection, select, (self._streams.get(stream),), of_stream)
        }

    def remembered(self, op_ids: Sequence[OpId]) -> dict[OpId, Done]:
        found = {}
        select = (
            "SELECT request, name, seq, status FROM done JOIN origin ON origin.id = done.origin"
            " WHERE client = ? AND sequence = ?"
        )
        for op_id in op_ids:
            row = self.connection.execute(select, (op_id.client, op_id.sequence)).fetchone()
            if row is not None:
                found[op_id] = Done(*row)
        return found

    def highest(self, clients: set[str]) -> dict[str, int]:
        found = {}
        for client in clients:
            row = self.connection.execute("SELECT highest FROM client WHERE name = ?", (client,)).fetchone()
            if row is not None:
                found[client] = row[0]
        return found

    def append(self, appended: Sequence[Appended], committing: Committing) -> None:
        """Log what was applied; it gets its place in the feed."""
        logged = []
        for one in appended:
            operation, sealed = one.operation, one.sealed
            if self.ahead and self._was_ahead(operation):
                continue
            name, origin, seq = operation.stream, operation.origin, operation.seq
            stored, key_id = self.cipher.close(sealed.value, name, origin, seq)
            self.position += 1
            place = (self.position, self.stream_id(name), self.origin_id(origin), seq)
            logged.append((*place, sealed.head, sealed.salt, stored, key_id))
            committing.positions[name] = self.position
            tally = committing.tallies.of(name)
            tally.log_operations += 1
            tally.log_bytes += len(sealed.head) + len(stored)
        rows.insert(self.connection, "INSERT INTO log", logged)

    def _was_ahead(self, operation: Operation) -> bool:
        """Whether a snapshot brought it before the log did."""
        place = (operation.stream, operation.origin, operation.seq)
        if place not in self.ahead:
            return False
        self.ahead.discard(place)
        return True

    def put_states(
        self,
        before: Mapping[tuple[str, str], KeyState],
        changed: Mapping[tuple[str, str], KeyState],
        appended: Sequence[Appended],
        losses: Sequence[tuple[str, str, Loss]],
        committing: Committing,
    ) -> None:
        """Write key states, and note what they no longer need."""
        written = []
        for (stream, key), state in changed.items():
            digest = key_digest(key, state)
            written.append((self.stream_id(stream), key, key_flags(state), encode_state(state), digest))
            committing.tallies.count(stream, before.get((stream, key), EMPTY), state)
        rows.insert(self.connection, "INSERT OR REPLACE INTO state", written)
        dropped = [
            (self.stream_id(stream), self.origin_id(origin), seq, key)
            for (stream, key), (origin, seq) in superseded(before, changed, appended, losses)
        ]
        rows.insert(self.connection, "INSERT INTO dropped (stream, origin, seq, key)", dropped)

    def put_losses(self, losses: Sequence[tuple[str, str, Loss]], committing: Committing) -> None:
        """Record what lost by the clock; known by the loser's dot, so the same loss found twice is one record."""
        at_ms = int(committing.now * 1000)
        self.put_records([(one, at_ms) for one in loss_records(losses)], committing)

    def put_records(self, records: Sequence[tuple[LossRecord, int]], committing: Committing) -> None:
        """Each with when it was found, in milliseconds."""
        for one, at_ms in records:
            loser, seq = one.loser
            row = (self.stream_id(one.stream), self.origin_id(loser), seq, one.key, one.version)
            found = (*row, *one.winner, one.size, at_ms)
            if self.connection.execute("INSERT OR IGNORE INTO conflict VALUES (?,?,?,?,?,?,?,?,?)", found).rowcount:
                tally = committing.tallies.of(one.stream)
                tally.conflict_records += 1
                tally.conflict_bytes += one.size
                self.conflict_bytes += one.size

    def put_done(self, done: Mapping[OpId, Done], now: float) -> None:
        """Remember operation ids; of each client only those in the window."""
        remembered, highest = [], highest_sequences(done)
        for op_id, one in done.items():
            origin = self.origin_id(one.origin)
            remembered.append((op_id.client, op_id.sequence, one.request, origin, one.seq, one.status, int(now * 1000)))
        self.connection.executemany(UPSERT_DONE, remembered)
        self.connection.executemany(
            "INSERT INTO client VALUES (?, ?) ON CONFLICT DO UPDATE SET highest = max(highest, excluded.highest)",
            highest.items(),
        )
        forget = "DELETE FROM done WHERE client = ? AND sequence <= ?"
        self.connection.executemany(forget, [(name, top - WINDOW) for name, top in highest.items() if top > WINDOW])

    def vector(self, stream: str, column: str) -> VersionVector:
        """`pruned` or `horizon` of a stream."""
        select = f"SELECT {column} FROM stream WHERE id = ?"  # noqa: S608 - one of two names of ours
        row = self.connection.execute(select, (self._streams.get(stream),)).fetchone()
        return {} if row is None else _decode_vector(row[0])

    def _bodies(
        self, writes: Sequence[Write], states: Mapping[tuple[str, str], KeyState]
    ) -> dict[tuple[str, str], bytes]:
        """Of keys that are patched."""
        bodies = {}
        for place in {(write.stream, write.key) for write in writes if write.kind == "patch"}:
            live = [version for version in states.get(place, EMPTY).versions if not version.is_deleted]
            for version in live[:1]:
                value = self.value_of(place[0], version.dots)
                if value is not None:
                    bodies[place] = value
        return bodies

    def value_of(self, stream: str, dots: Sequence[tuple[str, int]]) -> bytes | None:
        select = "SELECT value, cipher FROM log WHERE stream = ? AND origin = ? AND seq = ?"
        for origin, seq in dots:
            found = self.connection.execute(
                select, (self._streams.get(stream), self._origins.get(origin), seq)
            ).fetchone()
            if found is not None:
                return self.cipher.open(found[0], found[1], stream, origin, seq)
        return None

    def _write_figures(self, committing: Committing) -> None:
        for stream, tally in committing.tallies.by_stream.items():
            self.connection.execute(
                "UPDATE stream SET keys = keys + ?, tombstones = tombstones + ?, in_conflict = in_conflict + ?,"
                " log_operations = log_operations + ?, log_bytes = log_bytes + ?,"
                " conflict_records = conflict_records + ?, conflict_bytes = conflict_bytes + ?,"
                " position = max(position, ?) WHERE id = ?",
                (
                    tally.keys,
                    tally.tombstones,
                    tally.in_conflict,
                    tally.log_operations,
                    tally.log_bytes,
                    tally.conflict_records,
                    tally.conflict_bytes,
                    committing.positions.get(stream, 0),
                    self.stream_id(stream),
                ),
            )
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES ('clock', ?)", (self.clock.last,))


def translated(error: sqlite3.Error) -> StoreUnavailable:
    """What SQLite reports, in our words."""
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith(("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_SHMSIZE")):
        return StoreFull(f"no room for the write ({error}), expected free space in node.data_dir")
    if code.startswith("SQLITE_IOERR_TRUNCATE"):
        return StoreFull(f"no room for the write ({error}), expected free space in node.data_dir")
    if code == "SQLITE_TOOBIG" or isinstance(error, sqlite3.DataError):
        return Unstorable(f"more than the store can take ({error})")
    return StoreUnavailable(f"the store's file failed ({code or type(error).__name__}: {error})")
