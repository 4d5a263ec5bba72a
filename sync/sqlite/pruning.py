"""The writer's side of forgetting (what may go: sync/core/forgetting.py); conflict records go by age."""

from __future__ import annotations

from typing import Final

import msgspec

from sync.core.dots import Dot, VersionVector
from sync.core.forgetting import Candidate, Forgotten, forget
from sync.core.op_ids import PASSING_CLIENT, OpId
from sync.sqlite.ledger import Ledger
from sync.sqlite.views import LAST

CHUNK: Final = 1000
"""Rows a transaction: writers wait for no more than some milliseconds."""
FIRST_PASSING: Final = OpId(PASSING_CLIENT, 0)

_encode: Final = msgspec.msgpack.Encoder().encode


def prune(
    ledger: Ledger, stream: str, below: VersionVector, *, keep: int, now: float, start: int = 0
) -> tuple[int, int | None]:
    """One chunk: how many operations were forgotten, and where to go on; None when there is no more to forget now."""
    with ledger.transaction(now=now) as committing:
        stream_id = ledger.stream_id(stream)
        rows = ledger.connection.execute(
            "SELECT dropped.id, name, dropped.seq, key, n, coalesce(length(head) + length(value), 0)"
            " FROM dropped JOIN origin ON origin.id = dropped.origin LEFT JOIN log"
            " ON log.stream = dropped.stream AND log.origin = dropped.origin AND log.seq = dropped.seq"
            " WHERE dropped.stream = ? AND dropped.id > ? ORDER BY dropped.id LIMIT ?",
            (stream_id, start, CHUNK),
        ).fetchall()
        candidates = [Candidate(*row) for row in rows]
        states = ledger.states({(stream, one.key) for one in candidates})
        forgotten = forget(
            candidates,
            {key: state for (_, key), state in states.items()},
            {(one.origin, one.seq) for one in candidates if _is_recorded(ledger, stream, (one.origin, one.seq))},
            below=below,
            last_position=ledger.position - keep,
            pruned=ledger.vector(stream, "pruned"),
            horizon=ledger.vector(stream, "horizon"),
        )
        _erase(ledger, stream_id, forgotten)
        tally = committing.tallies.of(stream)
        tally.tombstones -= len(forgotten.keys)
        tally.log_operations -= len(forgotten.positions)
        tally.log_bytes -= forgotten.bytes
    is_over = forgotten.is_at_end or len(candidates) < CHUNK
    return forgotten.count, None if is_over else candidates[-1].id


def _erase(ledger: Ledger, stream_id: int, forgotten: Forgotten) -> None:
    connection = ledger.connection
    keys = [(stream_id, key) for key in forgotten.keys]
    connection.executemany("DELETE FROM state WHERE stream = ? AND key = ?", keys)
    connection.executemany("DELETE FROM log WHERE n = ?", [(n,) for n in forgotten.positions])
    connection.executemany("DELETE FROM dropped WHERE id = ?", [(id_,) for id_ in forgotten.done])
    connection.execute(
        "UPDATE stream SET pruned = ?, horizon = ?, horizon_n = max(horizon_n, ?) WHERE id = ?",
        (_encode(forgotten.pruned), _encode(forgotten.horizon), forgotten.horizon_position, stream_id),
    )


def expire_conflicts(ledger: Ledger, stream: str, *, before_ms: int, now: float) -> int:
    """Forget conflict records that are old enough; their values go with the next pruning."""
    with ledger.transaction(now=now) as committing:
        stream_id = ledger.stream_id(stream)
        rows = ledger.connection.execute(
            "SELECT origin, seq, key, bytes FROM conflict WHERE stream = ? AND detected_ms < ? LIMIT ?",
            (stream_id, before_ms, CHUNK),
        ).fetchall()
        for origin, seq, key, size in rows:
            dot = (stream_id, origin, seq)
            ledger.connection.execute("DELETE FROM conflict WHERE stream = ? AND origin = ? AND seq = ?", dot)
            ledger.connection.execute("INSERT INTO dropped (stream, origin, seq, key) VALUES (?, ?, ?, ?)", (*dot, key))
            tally = committing.tallies.of(stream)
            tally.conflict_records -= 1
            tally.conflict_bytes -= size
            ledger.conflict_bytes -= size
    return len(rows)


def forget_passing(
    ledger: Ledger, *, before_ms: int, now: float, start: OpId = FIRST_PASSING, chunk: int = CHUNK
) -> OpId | None:
    """Of clients that live for one request, what was done before then: one chunk, and where to go on; None at the end.

    There are as many as writes in some minutes.
    """
    with ledger.transaction(now=now):
        connection = ledger.connection
        following = connection.execute(
            "SELECT client, sequence FROM done WHERE (client, sequence) >= (?, ?) ORDER BY client, sequence"
            " LIMIT 1 OFFSET ?",
            (start.client, start.sequence, chunk),
        ).fetchone()
        end = (LAST, 0) if following is None else following
        connection.execute(
            "DELETE FROM done WHERE (client, sequence) >= (?, ?) AND (client, sequence) < (?, ?) AND at_ms < ?",
            (start.client, start.sequence, *end, before_ms),
        )
    return None if following is None else OpId(*following)


def forget_keys(ledger: Ledger, *, before_ms: int, at_most: int, now: float) -> None:
    """Idempotency keys expire; the oldest go first beyond the bound."""
    with ledger.transaction(now=now):
        keys = "client >= 'key ' AND client < 'key!'"
        ledger.connection.execute(f"DELETE FROM done WHERE {keys} AND at_ms < ?", (before_ms,))  # noqa: S608 - ours
        (count,) = ledger.connection.execute(f"SELECT count(*) FROM done WHERE {keys}").fetchone()  # noqa: S608
        if count > at_most:
            ledger.connection.execute(
                "DELETE FROM done WHERE (client, sequence) IN"  # noqa: S608 - ours
                f" (SELECT client, sequence FROM done WHERE {keys} ORDER BY at_ms LIMIT ?)",
                (count - at_most,),
            )


def _is_recorded(ledger: Ledger, stream: str, dot: Dot) -> bool:
    ids = (ledger.stream_id(stream), ledger.origin_id(dot[0]), dot[1])
    recorded = "SELECT 1 FROM conflict WHERE stream = ? AND origin = ? AND seq = ?"
    return ledger.connection.execute(recorded, ids).fetchone() is not None
