"""The writer's side of forgetting (what may go: sync/core/forgetting.py); conflict records go by age."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from sync.core.dots import VersionVector
from sync.core.forgetting import Candidate, Forgotten, forget
from sync.core.versions import decode_state
from sync.postgres.draft import Known
from sync.postgres.ledger import Ledger
from sync.postgres.server import Connection

CHUNK: Final = 1000
"""Rows a transaction: writers wait for no more than some milliseconds."""

_encode: Final = msgspec.msgpack.Encoder().encode


async def prune(
    ledger: Ledger, stream: str, below: VersionVector, *, keep: int, start: int = 0
) -> tuple[int, int | None]:
    """One chunk: how many operations were forgotten, and where to go on; None when there is no more to forget now."""
    async with ledger.exclusive() as (connection, known):
        stream_id = known.streams[stream]
        rows = await _candidates(ledger, connection, stream_id, start)
        forgotten = await _decided(ledger, connection, known, stream_id, rows, below=below, keep=keep)
        await _erase(ledger, connection, stream_id, forgotten)
    is_over = forgotten.is_at_end or len(rows) < CHUNK
    return forgotten.count, None if is_over else rows[-1]["id"]


async def _candidates(ledger: Ledger, connection: Connection, stream_id: int, start: int) -> list[Any]:
    rows: list[Any] = await connection.fetch(
        ledger.named(
            "SELECT dropped.id, name, dropped.seq, dropped.key, position,"
            " coalesce(length(head) + length(value), 0) AS size, state.state, conflict.seq IS NOT NULL AS is_recorded"
            " FROM @dropped AS dropped JOIN @origin AS origin ON origin.id = dropped.origin"
            " LEFT JOIN @log AS log USING (stream, origin, seq) LEFT JOIN @state AS state"
            " ON state.stream = dropped.stream AND state.key = dropped.key"
            " LEFT JOIN @conflict AS conflict ON (conflict.stream, conflict.origin, conflict.seq)"
            " = (dropped.stream, dropped.origin, dropped.seq)"
            " WHERE dropped.stream = $1 AND dropped.id > $2 ORDER BY dropped.id LIMIT $3"
        ),
        stream_id,
        start,
        CHUNK,
    )
    return rows


async def _decided(
    ledger: Ledger,
    connection: Connection,
    known: Known,
    stream_id: int,
    rows: Sequence[Any],
    *,
    below: VersionVector,
    keep: int,
) -> Forgotten:
    keys = [row["key"].decode() for row in rows]
    return forget(
        [
            Candidate(row["id"], row["name"], row["seq"], key, row["position"], row["size"])
            for row, key in zip(rows, keys, strict=True)
        ],
        {key: decode_state(row["state"]) for row, key in zip(rows, keys, strict=True) if row["state"] is not None},
        {(row["name"], row["seq"]) for row in rows if row["is_recorded"]},
        below=below,
        last_position=known.position - keep,
        pruned=await ledger.vector(connection, stream_id, "pruned"),
        horizon=await ledger.vector(connection, stream_id, "horizon"),
    )


async def _erase(ledger: Ledger, connection: Connection, stream_id: int, forgotten: Forgotten) -> None:
    if not forgotten.done:
        return
    for statement, what in (
        ("DELETE FROM @state WHERE stream = $1 AND key = ANY($2::bytea[])", [key.encode() for key in forgotten.keys]),
        ("DELETE FROM @log WHERE stream = $1 AND position = ANY($2::bigint[])", forgotten.positions),
        ("DELETE FROM @dropped WHERE stream = $1 AND id = ANY($2::bigint[])", forgotten.done),
    ):
        await connection.execute(ledger.named(statement), stream_id, what)
    await connection.execute(
        ledger.named(
            "UPDATE @stream SET pruned = $2, horizon = $3, horizon_position = greatest(horizon_position, $4),"
            " tombstones = tombstones - $5, log_operations = log_operations - $6, log_bytes = log_bytes - $7"
            " WHERE id = $1"
        ),
        stream_id,
        _encode(forgotten.pruned),
        _encode(forgotten.horizon),
        forgotten.horizon_position,
        len(forgotten.keys),
        len(forgotten.positions),
        forgotten.bytes,
    )


async def expire_conflicts(ledger: Ledger, stream: str, *, before_ms: int) -> int:
    """Forget conflict records that are old enough; their values go with the next pruning."""
    async with ledger.exclusive() as (connection, known):
        rows = await connection.fetch(
            ledger.named(
                "WITH old AS (DELETE FROM @conflict WHERE (stream, origin, seq) IN"
                " (SELECT stream, origin, seq FROM @conflict WHERE stream = $1 AND detected_ms < $2 LIMIT $3)"
                " RETURNING origin, seq, key, bytes), freed AS ("
                " INSERT INTO @dropped (stream, origin, seq, key) SELECT $1, origin, seq, key FROM old)"
                " SELECT bytes FROM old"
            ),
            known.streams[stream],
            before_ms,
            CHUNK,
        )
        await connection.execute(
            ledger.named(
                "UPDATE @stream SET conflict_records = conflict_records - $2, conflict_bytes = conflict_bytes - $3"
                " WHERE id = $1"
            ),
            known.streams[stream],
            len(rows),
            sum(row["bytes"] for row in rows),
        )
    return len(rows)


async def forget_keys(ledger: Ledger, *, before_ms: int, passing_before_ms: int, at_most: int) -> None:
    """Idempotency keys expire; the oldest go first beyond the bound. Clients of one request are forgotten sooner."""
    keys = "client >= 'key ' AND client < 'key!'"
    async with ledger.exclusive() as (connection, _):
        await connection.execute(
            ledger.named("DELETE FROM @done WHERE client >= '~' AND at_ms < $1"), passing_before_ms
        )
        await connection.execute(ledger.named(f"DELETE FROM @done WHERE {keys} AND at_ms < $1"), before_ms)  # noqa: S608 - ours
        await connection.execute(
            ledger.named(
                "DELETE FROM @done WHERE (client, sequence) IN"  # noqa: S608 - ours
                f" (SELECT client, sequence FROM @done WHERE {keys} ORDER BY at_ms DESC OFFSET $1)"
            ),
            at_most,
        )
