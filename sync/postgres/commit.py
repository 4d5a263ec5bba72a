"""The one statement that commits a batch: all rows of it, or none, and only on the version that it was judged on.

    gate      UPDATE meta SET version = version + 1 WHERE version = <the one that was read>
    the rest  ... WHERE EXISTS (SELECT FROM gate)

PostgreSQL takes the row lock of `meta` in the gate, and looks at the version again once it has it: of two nodes that
judged on the same version one commits, the other changes nothing and judges again. It runs outside of a transaction
block: one way to the server and back, durable when it answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sync.core.aftermath import Tallies

IF_GATE: Final = "WHERE EXISTS (SELECT FROM gate)"

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "stream": ("int", "text"),
    "origin": ("int", "text"),
    "log": ("int", "bigint", "int", "bigint", "bigint", "bytea", "bytea", "bytea"),
    "state": ("int", "int", "int", "bigint", "bigint", "bytea", "bytea"),
    "gone": ("int", "bytea"),
    "head": ("int", "int", "bigint", "bytea"),
    "dropped": ("int", "int", "bigint", "bytea"),
    "conflict": ("int", "int", "bigint", "bigint", "bigint", "bigint", "text", "bytea", "bytea"),
    "done": ("text", "bigint", "int", "bigint", "bigint", "int", "bytea"),
    "client": ("text", "bigint"),
    "below": ("text", "bigint"),
    "held": ("int", "int", "bigint", "double precision", "bigint", "text", "bytea", "bytea", "bytea", "bytea"),
    "applied": ("int", "int", "bigint"),
    "figures": ("int", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint"),
}
"""What a batch may write, by table, with the types of its columns in order.

`gone`: keys of which nothing is left; `below`: operation ids that leave the window; `applied`: what is held no more;
`figures`: what is added to a stream's, and its last position."""


@dataclass(slots=True)
class Rows:
    """What a batch is about to write."""

    of: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: {table: [] for table in COLUMNS})

    def add(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self.of[table].extend(rows)

    def add_figures(self, stream_ids: dict[str, int], tallies: Tallies, positions: dict[str, int]) -> None:
        """Conflict records count themselves: only the server knows which are new."""
        self.add(
            "figures",
            (
                (
                    stream_ids[stream],
                    tally.keys,
                    tally.tombstones,
                    tally.in_conflict,
                    tally.log_operations,
                    tally.log_bytes,
                    positions.get(stream, 0),
                )
                for stream, tally in tallies.by_stream.items()
            ),
        )

    def is_empty(self) -> bool:
        return not any(self.of.values())

    def arguments(self) -> list[Sequence[Any]]:
        """Column by column, as `STATEMENT` takes them."""
        arguments: list[Sequence[Any]] = []
        for table, types in COLUMNS.items():
            rows = self.of[table]
            arguments.extend(zip(*rows, strict=True) if rows else [()] * len(types))
        return arguments


def _unnested() -> dict[str, str]:
    """Each table's rows as a FROM item; the first three arguments are the gate's."""
    at = 3
    found = {}
    for table, types in COLUMNS.items():
        arrays = ", ".join(f"${at + index}::{kind}[]" for index, kind in enumerate(types, start=1))
        names = ", ".join(f"c{index}" for index in range(1, len(types) + 1))
        found[table] = f"unnest({arrays}) AS given({names})"
        at += len(types)
    return found


def _statement() -> str:
    given = _unnested()
    return f"""
WITH gate AS (
    UPDATE @meta SET version = version + 1, clock = greatest(clock, $2), position = $3 WHERE version = $1 RETURNING 1
), new_stream AS (
    INSERT INTO @stream (id, name) SELECT * FROM {given["stream"]} {IF_GATE}
), new_origin AS (
    INSERT INTO @origin (id, name) SELECT * FROM {given["origin"]} {IF_GATE}
), new_log AS (
    INSERT INTO @log (stream, position, origin, seq, cipher, head, salt, value) SELECT * FROM {given["log"]} {IF_GATE}
), new_state AS (
    INSERT INTO @state (stream, flags, origin, seq, digest, key, state) SELECT * FROM {given["state"]} {IF_GATE}
    ON CONFLICT (stream, key) DO UPDATE
    SET flags = excluded.flags, origin = excluded.origin, seq = excluded.seq, digest = excluded.digest,
        state = excluded.state
), old_state AS (
    DELETE FROM @state USING {given["gone"]} WHERE stream = c1 AND key = c2 AND EXISTS (SELECT FROM gate)
), new_head AS (
    INSERT INTO @head (stream, origin, seq, digest) SELECT * FROM {given["head"]} {IF_GATE}
    ON CONFLICT (stream, origin) DO UPDATE SET seq = excluded.seq, digest = excluded.digest
), new_dropped AS (
    INSERT INTO @dropped (stream, origin, seq, key) SELECT * FROM {given["dropped"]} {IF_GATE}
), new_conflict AS (
    INSERT INTO @conflict (stream, origin, seq, winner_seq, bytes, detected_ms, winner_origin, key, loser)
    SELECT * FROM {given["conflict"]} {IF_GATE} ON CONFLICT DO NOTHING RETURNING stream, bytes
), new_done AS (
    INSERT INTO @done (client, sequence, origin, seq, at_ms, status, request) SELECT * FROM {given["done"]} {IF_GATE}
    ON CONFLICT (client, sequence) DO UPDATE
    SET origin = excluded.origin, seq = excluded.seq, status = excluded.status WHERE done.request = excluded.request
), new_client AS (
    INSERT INTO @client (name, highest) SELECT * FROM {given["client"]} {IF_GATE}
    ON CONFLICT (name) DO UPDATE SET highest = greatest(client.highest, excluded.highest)
), old_done AS (
    DELETE FROM @done USING {given["below"]} WHERE client = c1 AND sequence <= c2 AND EXISTS (SELECT FROM gate)
), new_held AS (
    INSERT INTO @held (stream, origin, seq, visible_at, cipher, reason, key, head, salt, value)
    SELECT * FROM {given["held"]} {IF_GATE} ON CONFLICT (stream, origin, seq) DO UPDATE
    SET visible_at = excluded.visible_at, cipher = excluded.cipher, reason = excluded.reason, head = excluded.head,
        salt = excluded.salt, value = excluded.value
), old_held AS (
    DELETE FROM @held USING {given["applied"]}
    WHERE stream = c1 AND origin = c2 AND seq = c3 AND EXISTS (SELECT FROM gate)
), figures AS (
    UPDATE @stream SET keys = keys + c2, tombstones = tombstones + c3, in_conflict = in_conflict + c4,
        log_operations = log_operations + c5, log_bytes = log_bytes + c6, position = greatest(position, c7),
        conflict_records = conflict_records + (SELECT count(*) FROM new_conflict WHERE new_conflict.stream = c1),
        conflict_bytes = conflict_bytes
            + coalesce((SELECT sum(bytes) FROM new_conflict WHERE new_conflict.stream = c1), 0)::bigint
    FROM {given["figures"]} WHERE id = c1 AND EXISTS (SELECT FROM gate)
)
SELECT (SELECT count(*) FROM gate) AS committed,
    coalesce((SELECT sum(bytes) FROM new_conflict), 0)::bigint AS conflict_bytes
"""  # noqa: S608 - put together of names that stand here


STATEMENT: Final = _statement()
"""$1 the version it was judged on, $2 the clock, $3 the last position; then the columns of each table."""
