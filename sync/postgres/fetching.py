"""What is stored of what a batch asks about, and what a writer remembers of the class between batches.

read_known   everything that is remembered, at one version
fetch        states and operation ids for one batch, by one question
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from sync.core.aftermath import Place
from sync.core.local_batch import Head
from sync.core.op_ids import Done, OpId
from sync.core.versions import KeyState, decode_state
from sync.errors import StoreUnavailable
from sync.postgres.draft import Known
from sync.postgres.server import Connection

META: Final = "SELECT version, clock, position, origin FROM @meta"
LOCKED_META: Final = META + " FOR UPDATE"
AHEAD: Final = """
SELECT stream.name AS stream, origin.name AS origin, log.seq FROM @stream AS stream CROSS JOIN @origin AS origin
LEFT JOIN @head AS head ON head.stream = stream.id AND head.origin = origin.id
CROSS JOIN LATERAL (
    SELECT seq FROM @log AS log WHERE log.stream = stream.id AND log.origin = origin.id AND seq > coalesce(head.seq, 0)
    OFFSET 0
) AS log
UNION ALL
SELECT stream.name, origin.name, held.seq FROM @held AS held CROSS JOIN LATERAL (
    SELECT FROM @log AS log WHERE (log.stream, log.origin, log.seq) = (held.stream, held.origin, held.seq) OFFSET 0
) AS log JOIN @stream AS stream ON stream.id = held.stream JOIN @origin AS origin ON origin.id = held.origin
"""
HEADS: Final = (
    "SELECT stream.name AS stream, origin.name AS origin, seq, digest FROM @head AS head"
    " JOIN @stream AS stream ON stream.id = head.stream JOIN @origin AS origin ON origin.id = head.origin"
)
FETCH: Final = """
SELECT 1 AS kind, at, state AS bytes, NULL::text AS name, NULL::bigint AS one, NULL::bigint AS other
FROM unnest($1::int[], $2::bytea[]) WITH ORDINALITY AS given(stream, key, at) JOIN @state USING (stream, key)
UNION ALL
SELECT 2, at, request, origin.name, seq, status
FROM unnest($3::text[], $4::bigint[]) WITH ORDINALITY AS given(client, sequence, at)
JOIN @done USING (client, sequence) JOIN @origin AS origin ON origin.id = done.origin
UNION ALL
SELECT 3, at, NULL, name, highest, NULL
FROM unnest($5::text[]) WITH ORDINALITY AS given(name, at) JOIN @client USING (name)
"""


class Fetched(NamedTuple):
    """What is stored of what a batch asks about."""

    states: dict[Place, KeyState]
    done: dict[OpId, Done]
    highest: dict[str, int]


async def read_known(connection: Connection, named: Callable[[str], str], plans: Iterable[str], *, lock: bool) -> Known:
    """Each part at the version that is read first, or later: then what is judged on it is not committed.

    `plans`: the class's streams; `lock`: hold the class until the transaction ends. Raises StoreUnavailable.
    """
    meta = await connection.fetchrow(named(LOCKED_META if lock else META))
    if meta is None:
        raise StoreUnavailable("a schema has lost its own description, expected one row in meta")
    streams = await connection.fetch(named("SELECT id, name, conflict_bytes FROM @stream"))
    origins = await connection.fetch(named("SELECT id, name FROM @origin"))
    heads: dict[str, dict[str, Head]] = {stream: {} for stream in plans}
    for row in await connection.fetch(named(HEADS)):
        heads.setdefault(row["stream"], {})[row["origin"]] = Head(row["seq"], row["digest"])
    held = await connection.fetch(named("SELECT name FROM @stream WHERE EXISTS (SELECT FROM @held WHERE stream = id)"))
    ahead = await connection.fetch(named(AHEAD))
    return Known(
        version=meta["version"],
        origin=meta["origin"],
        clock=meta["clock"],
        position=meta["position"],
        streams={row["name"]: row["id"] for row in streams},
        origins={row["name"]: row["id"] for row in origins},
        heads=heads,
        conflict_bytes=sum(row["conflict_bytes"] for row in streams),
        held={row["name"] for row in held},
        ahead={(row["stream"], row["origin"], row["seq"]) for row in ahead},
    )


async def fetch(connection: Connection, statement: str, known: Known, places: set[Place], op_ids: set[OpId]) -> Fetched:
    """Rows for a batch; those of streams that nobody has written to yet are none. `statement`: `FETCH`, named."""
    asked = [place for place in places if place[0] in known.streams]
    ids = list(op_ids)
    rows = await connection.fetch(
        statement,
        [known.streams[stream] for stream, _ in asked],
        [key.encode() for _, key in asked],
        [op_id.client for op_id in ids],
        [op_id.sequence for op_id in ids],
        list({op_id.client for op_id in ids if not op_id.is_passing}),
    )
    fetched = Fetched({}, {}, {})
    for kind, at, data, name, one, other in rows:
        if kind == 1:
            fetched.states[asked[at - 1]] = decode_state(data)
        elif kind == 2:
            fetched.done[ids[at - 1]] = Done(data, name, one, other)
        else:
            fetched.highest[name] = one
    return fetched
