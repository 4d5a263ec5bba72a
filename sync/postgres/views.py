"""The readers of a class: keys, lists, feeds, conflicts, what peers lack, figures.

What one statement can answer is one statement, and so one snapshot; what needs several is asked in a read-only
transaction that sees one snapshot throughout.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec

from sync.cipher import Cipher
from sync.core.aftermath import decode_loser
from sync.core.dots import Dot, VersionVector, missing_ranges
from sync.core.feed import choose
from sync.core.operation import Sealed, decode_stored
from sync.core.versions import EMPTY, decode_state
from sync.errors import CursorExpired
from sync.postgres import schema
from sync.postgres.server import Server
from sync.postgres.snapshot import Snapshot
from sync.store import (
    Body,
    Changes,
    ConflictRecord,
    Cursor,
    Heads,
    HeldOperation,
    Listed,
    Record,
    StreamStats,
)

_decode_vector: Final = msgspec.msgpack.Decoder(dict[str, int]).decode


LIST: Final = (
    "SELECT key, state FROM @state WHERE stream = #stream AND key >= $2 AND ($3::bytea IS NULL OR key < $3)"
    " AND key > $4 AND flags & 1 = 1 ORDER BY key LIMIT $5"
)


class Views:
    """Questions to one class."""

    def __init__(self, server: Server, residency_class: str, cipher: Cipher) -> None:
        self._server = server
        self._schema = schema.schema_of(residency_class, server.prefix)
        self.cipher = cipher
        self._named: dict[str, str] = {}

    def text(self, text: str) -> str:
        """A statement about this class's tables."""
        found = self._named.get(text)
        if found is None:
            found = self._named[text] = schema.named(self._schema, text)
        return found

    async def ask(self, text: str, *arguments: Any) -> Sequence[Any]:
        """One question: one snapshot. Raises StoreUnavailable."""
        async with self._server.reader() as connection:
            rows: Sequence[Any] = await connection.fetch(self.text(text), *arguments)
            return rows

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """For several. Raises StoreUnavailable."""
        async with (
            self._server.reader() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield Snapshot(connection, self.text, self.cipher)

    # Keys

    async def read(self, stream: str, key: str) -> Record | None:
        rows = await self.ask(
            "SELECT state, value, cipher FROM @state LEFT JOIN @log USING (stream, origin, seq)"
            " WHERE stream = #stream AND key = $2",
            stream,
            key.encode(),
        )
        if not rows:
            return None
        state = decode_state(rows[0]["state"])
        live = [version for version in state.versions if not version.is_deleted]
        if not live:
            return Record(key, state, ())
        if len(live) == 1 and rows[0]["value"] is not None:
            value = self.cipher.open(rows[0]["value"], rows[0]["cipher"], stream, *live[0].dot)
            return Record(key, state, (Body(live[0], value),))
        return await self._read_all(stream, key)

    async def _read_all(self, stream: str, key: str) -> Record | None:
        """A key with several versions, or one that is known under several dots."""
        async with self.snapshot() as snapshot:
            state = (await snapshot.states(stream, [key])).get(key)
            if state is None:
                return None
            live = [version for version in state.versions if not version.is_deleted]
            return Record(
                key, state, tuple([Body(version, await snapshot.value(stream, version.dots)) for version in live])
            )

    async def list_keys(self, stream: str, *, prefix: str, after: str, limit: int) -> list[Listed]:
        start = prefix.encode()
        rows = await self.ask(
            LIST,
            stream,
            start,
            behind(start),
            after.encode(),
            limit,
        )
        return [Listed(row["key"].decode(), decode_state(row["state"])) for row in rows]

    async def in_conflict(self, stream: str, *, after: str, limit: int) -> list[Listed]:
        rows = await self.ask(
            "SELECT key, state FROM @state WHERE stream = #stream AND key > $2 AND flags >= 2 ORDER BY key LIMIT $3",
            stream,
            after.encode(),
            limit,
        )
        return [Listed(row["key"].decode(), decode_state(row["state"])) for row in rows]

    async def value_of(self, stream: str, dot: Dot) -> bytes | None:
        async with self.snapshot() as snapshot:
            return await snapshot.value(stream, (dot,))

    async def conflict_log(self, stream: str, *, after: Dot | None, limit: int) -> list[ConflictRecord]:
        rows = await self.ask(
            "SELECT key, loser, winner_origin, winner_seq, detected_ms FROM @conflict AS conflict"
            " JOIN @origin AS origin ON origin.id = conflict.origin WHERE stream = #stream"
            " AND (name, seq) > ($2, $3) ORDER BY name, seq LIMIT $4",
            stream,
            *(after or ("", 0)),
            limit,
        )
        return [
            ConflictRecord(key.decode(), decode_loser(loser), (origin, seq), detected)
            for key, loser, origin, seq, detected in rows
        ]

    # The feed

    async def cursor(self, stream: str, origin: str) -> Cursor:
        async with self.snapshot() as snapshot:
            return await snapshot.end(stream, origin)

    async def changes(self, stream: str, since: Cursor | None, origin: str, *, limit: int, max_bytes: int) -> Changes:
        async with self.snapshot() as snapshot:
            seen = since.applied if since is not None else {}
            position = await snapshot.start(stream, since, origin)
            rows = await snapshot.log_behind(stream, position)
            states = await snapshot.states(stream, {decode_stored(row.head).key for row in rows})
            aliases = [dot for state in states.values() for one in state.versions if one.also for dot in one.dots]
            positions = await snapshot.positions(stream, aliases)
            page = choose(
                rows,
                lambda key: states.get(key, EMPTY),
                position_of=positions.get,
                known={} if since is not None and since.origin == origin else seen,
                position=position,
                limit=limit,
                max_bytes=max_bytes,
            )
            changes = await snapshot.changes(stream, page.chosen)
            end = await snapshot.end(stream, origin)
            is_exhausted = page.position >= end.position
            applied = end.applied if is_exhausted else seen
            return Changes(changes, Cursor(stream, origin, page.position, applied), seen)

    # Peers

    async def heads(self, stream: str) -> Heads:
        async with self._server.reader() as connection:
            return await Snapshot(connection, self.text, self.cipher).heads(stream)

    async def operations_after(
        self, stream: str, have: Mapping[str, int], *, max_operations: int, max_bytes: int
    ) -> list[Sealed]:
        async with self.snapshot() as snapshot:
            pruned = await snapshot.vector(stream, "pruned")
            found: list[Sealed] = []
            size = 0
            for origin, start in missing_ranges(have, (await snapshot.heads(stream)).received):
                if start < pruned.get(origin, 0):
                    raise CursorExpired(f"operations of {origin} up to {pruned[origin]} are forgotten; take a snapshot")
                chain, is_whole = await snapshot.chain(
                    stream,
                    origin,
                    start,
                    limit=max_operations - len(found),
                    room=max_bytes - size,
                    at_least_one=not found,
                )
                found.extend(chain)
                size += sum(sealed.size() for sealed in chain)
                if not is_whole or len(found) >= max_operations:
                    break
            return found

    async def acknowledged(self, stream: str) -> dict[str, VersionVector]:
        rows = await self.ask("SELECT member, origin, seq FROM @acknowledged WHERE stream = #stream", stream)
        found: dict[str, VersionVector] = {}
        for member, origin, seq in rows:
            found.setdefault(member, {})[origin] = seq
        return found

    async def acknowledge(self, stream: str, member: str, vector: VersionVector) -> None:
        """Each origin for itself: whoever says it, through whichever node, it never goes back."""
        names = sorted(vector)
        await self.ask(
            "INSERT INTO @acknowledged AS known (stream, member, origin, seq) SELECT #stream, $2, *"
            " FROM unnest($3::text[], $4::bigint[]) ON CONFLICT (stream, member, origin) DO UPDATE"
            " SET seq = excluded.seq WHERE known.seq < excluded.seq",
            stream,
            member,
            names,
            [vector[name] for name in names],
        )

    async def forget_member(self, stream: str, member: str) -> None:
        await self.ask("DELETE FROM @acknowledged WHERE stream = #stream AND member = $2", stream, member)

    async def note(self, stream: str, name: str, value: bytes | None) -> None:
        if value is None:
            await self.ask("DELETE FROM @note WHERE stream = #stream AND name = $2", stream, name)
            return
        await self.ask(
            "INSERT INTO @note (stream, name, value) VALUES (#stream, $2, $3)"
            " ON CONFLICT (stream, name) DO UPDATE SET value = excluded.value",
            stream,
            name,
            value,
        )

    async def notes(self, stream: str) -> dict[str, bytes]:
        rows = await self.ask("SELECT name, value FROM @note WHERE stream = #stream", stream)
        return {row["name"]: row["value"] for row in rows}

    async def held(self, stream: str, *, limit: int, reason: str | None = None) -> list[HeldOperation]:
        rows = await self.ask(
            "SELECT head, reason, visible_at FROM @held WHERE stream = #stream AND reason <> 'skipped'"
            " AND ($3::text IS NULL OR reason = $3) ORDER BY origin, seq LIMIT $2",
            stream,
            limit,
            reason,
        )
        return [HeldOperation(decode_stored(head), reason, visible_at) for head, reason, visible_at in rows]

    async def logged(self, stream: str, dots: Sequence[Dot]) -> list[Sealed]:
        async with self.snapshot() as snapshot:
            return [one for one in await snapshot.logged(stream, dots) if one.salt]

    async def stats(self, stream: str) -> StreamStats:
        rows = await self.ask(
            "SELECT keys, tombstones, in_conflict, log_operations, log_bytes, conflict_records, conflict_bytes,"
            " (SELECT count(*) FROM @held WHERE stream = id AND reason <> 'skipped'),"
            " (SELECT count(*) FROM @held WHERE stream = id AND reason = 'quarantined') FROM @stream WHERE name = $1",
            stream,
        )
        return StreamStats(*rows[0]) if rows else StreamStats(0, 0, 0, 0, 0, 0, 0, 0)

    async def positions(self) -> dict[str, int]:
        """Where each stream's feed ends."""
        return {row["name"]: row["position"] for row in await self.ask("SELECT name, position FROM @stream")}


def behind(prefix: bytes) -> bytes | None:
    """The first bytes that sort behind everything that starts so; None when nothing does."""
    for at in range(len(prefix) - 1, -1, -1):
        if prefix[at] < 0xFF:
            return prefix[:at] + bytes([prefix[at] + 1])
    return None
