"""One moment of a class: questions that belong together, asked on one connection inside a read-only transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import msgspec

from sync.cipher import Cipher
from sync.core.arrivals import applied_vector
from sync.core.dots import Dot, VersionVector
from sync.core.feed import SCAN, Chosen, LogRow, is_expired
from sync.core.operation import Sealed
from sync.core.versions import KeyState, decode_state
from sync.errors import CursorExpired, StoreUnavailable
from sync.postgres.server import Connection
from sync.store import Change, Cursor, Heads

_decode_vector: Final = msgspec.msgpack.Decoder(dict[str, int]).decode


def _both(columns: str) -> str:
    """What is logged and what is held of one origin, in order; a snapshot may have brought what is held, too."""
    what = f"SELECT {columns} FROM"
    rows = "WHERE stream = #stream AND origin = $2 AND seq > $3"
    # Looked up row by row: as a join it would read the log from `$3` to its end.
    brought = (
        "SELECT seq FROM @log AS log WHERE (log.stream, log.origin, log.seq) = (held.stream, held.origin, held.seq)"
    )
    log = f"({what} @log {rows} ORDER BY seq LIMIT $4)"
    held = f"({what} @held AS held {rows} AND ({brought}) IS NULL ORDER BY seq LIMIT $4)"
    return f"{log} UNION ALL {held} ORDER BY seq LIMIT $4"


BEHIND: Final = (
    "SELECT position, name, seq, head, length(value) FROM @log AS log JOIN @origin AS origin ON origin.id = log.origin"
    " WHERE stream = #stream AND position > $2 ORDER BY position LIMIT $3"
)
CHAIN_SIZES: Final = _both("seq, length(head) + length(salt) + length(value) AS size")
CHAIN: Final = _both("seq, head, salt, value, cipher")


class Snapshot:
    """One connection, as it sees the class now."""

    def __init__(self, connection: Connection, text: Callable[[str], str], cipher: Cipher) -> None:
        """`text` makes a statement one about the class's tables."""
        self._connection = connection
        self._text = text
        self._cipher = cipher

    async def states(self, stream: str, keys: Sequence[str] | set[str]) -> dict[str, KeyState]:
        rows = await self._connection.fetch(
            self._text("SELECT key, state FROM @state WHERE stream = #stream AND key = ANY($2::bytea[])"),
            stream,
            [key.encode() for key in keys],
        )
        return {row["key"].decode(): decode_state(row["state"]) for row in rows}

    async def value(self, stream: str, dots: Sequence[Dot]) -> bytes | None:
        for origin, seq in dots:
            row = await self._connection.fetchrow(
                self._text(
                    "SELECT value, cipher FROM @log WHERE stream = #stream"
                    " AND origin = (SELECT id FROM @origin WHERE name = $2) AND seq = $3"
                ),
                stream,
                origin,
                seq,
            )
            if row is not None:
                return self._cipher.open(row["value"], row["cipher"], stream, origin, seq)
        return None

    async def logged(self, stream: str, dots: Sequence[Dot]) -> list[Sealed]:
        """Those of these that are in the log, as they are sent."""
        rows = await self._connection.fetch(
            self._text(
                "SELECT name, log.seq, head, salt, value, cipher"
                " FROM unnest($2::text[], $3::bigint[]) AS given(name, seq)"
                " JOIN @origin AS origin USING (name) JOIN @log AS log ON log.stream = #stream"
                " AND log.origin = origin.id AND log.seq = given.seq"
            ),
            stream,
            [origin for origin, _ in dots],
            [seq for _, seq in dots],
        )
        return [
            self._cipher.to_send(Sealed(head, salt, stored), key_id, stream, origin, seq)
            for origin, seq, head, salt, stored, key_id in rows
        ]

    async def changes(self, stream: str, chosen: Sequence[Chosen]) -> tuple[Change, ...]:
        """With their values, in one question."""
        rows = await self._connection.fetch(
            self._text(
                "SELECT position, value, cipher FROM @log WHERE stream = #stream AND position = ANY($2::bigint[])"
            ),
            stream,
            [one.row.position for one in chosen if not one.operation.is_delete],
        )
        values = {position: (value, cipher) for position, value, cipher in rows}
        changes = []
        for one in chosen:
            row, stored = one.row, values.get(one.row.position)
            value = None if stored is None else self._cipher.open(*stored, stream, row.origin, row.seq)
            changes.append(Change(row.position, one.operation, one.mark, value, is_current=True, version=one.version))
        return tuple(changes)

    async def positions(self, stream: str, dots: Sequence[Dot]) -> dict[Dot, int]:
        """Where these lie in the log."""
        rows = await self._connection.fetch(
            self._text(
                "SELECT name, log.seq, position FROM unnest($2::text[], $3::bigint[]) AS given(name, seq)"
                " JOIN @origin AS origin USING (name) JOIN @log AS log ON log.stream = #stream"
                " AND log.origin = origin.id AND log.seq = given.seq"
            ),
            stream,
            [origin for origin, _ in dots],
            [seq for _, seq in dots],
        )
        return {(origin, seq): position for origin, seq, position in rows}

    async def end(self, stream: str, origin: str) -> Cursor:
        position = await self._connection.fetchval(self._text("SELECT position FROM @stream WHERE name = $1"), stream)
        return Cursor(stream, origin, position or 0, (await self.heads(stream)).applied)

    async def start(self, stream: str, since: Cursor | None, origin: str) -> int:
        """The position behind which the feed goes on. Raises CursorExpired."""
        if since is None:
            return 0
        row = await self._connection.fetchrow(
            self._text("SELECT horizon, horizon_position FROM @stream WHERE name = $1"), stream
        )
        horizon, position = (_decode_vector(row[0]), row[1]) if row is not None else ({}, 0)
        own = since.position if since.origin == origin else None
        if is_expired(own, since.applied, horizon=horizon, horizon_position=position):
            raise CursorExpired("a cursor from before deletes that are forgotten, expected a later one")
        if own is not None:
            return own
        names = list(since.applied)
        first = await self._connection.fetchval(
            self._text(
                "SELECT min((SELECT min(position) FROM @log AS log WHERE stream = #stream AND log.origin = origin.id"
                " AND seq > coalesce(seen.seq, 0))) FROM @origin AS origin"
                " LEFT JOIN unnest($2::text[], $3::bigint[]) AS seen(name, seq) USING (name)"
            ),
            stream,
            names,
            [since.applied[name] for name in names],
        )
        return first - 1 if first is not None else (await self.end(stream, origin)).position

    async def log_behind(self, stream: str, position: int) -> list[LogRow]:
        rows = await self._connection.fetch(
            self._text(BEHIND),
            stream,
            position,
            SCAN,
        )
        return [LogRow(*row) for row in rows]

    async def ask(self, text: str, *arguments: Any) -> Sequence[Any]:
        rows: Sequence[Any] = await self._connection.fetch(self._text(text), *arguments)
        return rows

    async def vector(self, stream: str, column: Literal["pruned", "horizon"]) -> VersionVector:
        rows = await self.ask("SELECT pruned, horizon FROM @stream WHERE name = $1", stream)
        return _decode_vector(rows[0][column]) if rows else {}

    async def heads(self, stream: str) -> Heads:
        received, digests, held = {}, {}, {}
        for name, seq, digest, first_held in await self._connection.fetch(
            self._text(
                "SELECT name, seq, digest, (SELECT min(seq) FROM @held AS held WHERE held.stream = head.stream"
                " AND held.origin = head.origin AND reason <> 'skipped')"
                " FROM @head AS head JOIN @origin AS origin ON origin.id = head.origin"
                " WHERE stream = #stream"
            ),
            stream,
        ):
            received[name], digests[name] = seq, digest
            if first_held is not None:
                held[name] = first_held
        return Heads(received, applied_vector(received, held), digests)

    async def chain(
        self, stream: str, origin: str, start: int, *, limit: int, room: int, at_least_one: bool
    ) -> tuple[list[Sealed], bool]:
        """One origin's operations from behind `start`, held ones in their places, and whether these are all of them.

        `room`: bytes that they may take.
        """
        origin_id = await self._connection.fetchval(self._text("SELECT id FROM @origin WHERE name = $1"), origin)
        sizes = await self._connection.fetch(self._text(CHAIN_SIZES), stream, origin_id, start, limit + 1)
        count = size = 0
        for seq, one in sizes[:limit]:
            if seq != start + count + 1:
                raise StoreUnavailable(f"operation {start + count + 1} of {origin} in {stream} is missing from the log")
            size += one
            if size > room and (count or not at_least_one):
                break
            count += 1
        rows = await self._connection.fetch(self._text(CHAIN), stream, origin_id, start, count)
        sealed = [
            self._cipher.to_send(Sealed(head, salt, stored), key_id, stream, origin, seq)
            for seq, head, salt, stored, key_id in rows
        ]
        return sealed, count == len(sizes)
