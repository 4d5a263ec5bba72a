"""The writer's side of what other stores hold: pages of key states, the end of a snapshot, what they remember."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from sync.core.absorbing import AbsorbBatch, Absorbed, Page, Purpose, dots_of, events_of
from sync.core.arrivals import applied_vector, operation_dot
from sync.core.digests import KeyRange
from sync.core.dots import Dot, VersionVector, joined
from sync.core.loss_log import KnownLoss, recordable, room_for
from sync.core.op_ids import Done, OpId
from sync.core.operation import decode_stored
from sync.core.reconciling import Side
from sync.core.versions import EMPTY, KeyState, decode_state
from sync.postgres.copies import bounds
from sync.postgres.draft import Draft, Known, copied
from sync.postgres.ledger import Ledger
from sync.postgres.server import Connection
from sync.store import Base

_encode: Final = msgspec.msgpack.Encoder().encode


async def absorb(
    ledger: Ledger, stream: str, page: Page, within: KeyRange, *, purpose: Purpose, now: float
) -> Absorbed:
    """One page, one commit. Raises Malformed or TooEarly."""

    async def judge(connection: Connection, known: Known) -> tuple[Draft, Absorbed]:
        covered = KeyRange(within.after, within.upto if page.next is None else page.next)
        applied = await _applied(ledger, connection, known, stream)
        states = await _states(ledger, connection, stream, covered)
        there = (*states.values(), *(entry.state for entry in page.entries))
        batch = AbsorbBatch(
            stream=stream,
            purpose=purpose,
            plan=ledger.plans[stream],
            clock=ledger.clock,
            mine=Side(applied, await ledger.vector(connection, known.streams[stream], "horizon")),
            states=states,
            read=await _read(ledger, connection, known.streams[stream], dots_of(there)),
            done=await _done(ledger, connection, events_of(states.values())) if purpose == "snapshot" else {},
        )
        batch.take(page, within, now=now)
        dots = [operation_dot(one.operation) for one in batch.needed]
        logged = await _logged(ledger, connection, known.streams[stream], dots)
        needed = [one for one in batch.needed if operation_dot(one.operation) not in logged]
        losses = [(stream, key, loss) for key, loss in batch.losses]
        draft = Draft(known, now=now, is_forgetful=True)
        draft.append(needed, ledger.cipher)
        draft.put_states(
            {(stream, key): batch.states.get(key, EMPTY) for key in batch.changed},
            {(stream, key): state for key, state in batch.changed.items()},
            [],
            losses,
        )
        return draft, Absorbed(tuple(batch.repaired), batch.suspected, len(batch.changed), batch.damaged)

    return await ledger.attempt(judge)


async def take_losses(ledger: Ledger, stream: str, losses: Sequence[KnownLoss], *, now: float) -> int:
    """Conflict records of another store, in one commit; how many were sound."""

    async def judge(connection: Connection, known: Known) -> tuple[Draft, int]:
        fetched = await ledger.fetch(connection, known, {(stream, one.key) for one in losses}, set())
        states = {key: state for (_, key), state in fetched.states.items()}
        room = room_for(ledger.max_conflict_bytes, known.conflict_bytes)
        found = recordable(stream, losses, states, room=room)
        dots = [one.record.loser for one in found]
        logged = await _logged(ledger, connection, known.streams[stream], dots)
        draft = Draft(known, now=now, is_forgetful=True)
        draft.append([one.appended for one in found if one.record.loser not in logged], ledger.cipher)
        draft.put_records([(one.record, one.detected_ms) for one in found])
        return draft, len(found)

    return await ledger.attempt(judge)


async def adopt(ledger: Ledger, stream: str, base: Base, horizon: VersionVector) -> None:
    """Go on from the end of a snapshot."""
    async with ledger.exclusive() as (connection, known):
        stream_id, heads = known.streams[stream], known.heads.get(stream, {})
        higher = {origin: head for origin, head in base.items() if head[0] > copied(heads.get(origin)).seq}
        for origin in higher.keys() - known.origins.keys():
            await connection.execute(
                ledger.named("INSERT INTO @origin (id, name) SELECT coalesce(max(id), 0) + 1, $1 FROM @origin"), origin
            )
        await connection.execute(
            ledger.named(
                "INSERT INTO @head (stream, origin, seq, digest) SELECT $1, origin.id, given.seq, given.digest"
                " FROM unnest($2::text[], $3::bigint[], $4::bytea[]) AS given(name, seq, digest)"
                " JOIN @origin AS origin USING (name)"
                " ON CONFLICT (stream, origin) DO UPDATE SET seq = excluded.seq, digest = excluded.digest"
            ),
            stream_id,
            list(higher),
            [seq for seq, _ in higher.values()],
            [digest for _, digest in higher.values()],
        )
        await connection.execute(
            ledger.named(
                "DELETE FROM @held AS held USING @origin AS origin,"
                " unnest($2::text[], $3::bigint[]) AS given(name, seq)"
                " WHERE origin.name = given.name AND held.stream = $1 AND held.origin = origin.id"
                " AND held.seq <= given.seq"
            ),
            stream_id,
            list(base),
            [seq for seq, _ in base.values()],
        )
        pruned = joined(
            await ledger.vector(connection, stream_id, "pruned"), {origin: seq for origin, (seq, _) in higher.items()}
        )
        await connection.execute(
            ledger.named(
                "UPDATE @stream SET pruned = $2, horizon = $3, horizon_position = greatest(horizon_position, $4)"
                " WHERE id = $1"
            ),
            stream_id,
            _encode(pruned),
            _encode(joined(await ledger.vector(connection, stream_id, "horizon"), horizon)),
            known.position,
        )


async def remember(ledger: Ledger, done: Mapping[OpId, Done], *, now: float) -> None:
    """Take over operation ids."""

    async def judge(connection: Connection, known: Known) -> tuple[Draft, None]:
        draft = Draft(known, now=now)
        draft.put_done(done)
        return draft, None

    await ledger.attempt(judge)


async def _applied(ledger: Ledger, connection: Connection, known: Known, stream: str) -> VersionVector:
    received = {origin: head.seq for origin, head in known.heads.get(stream, {}).items()}
    if stream not in known.held:
        return applied_vector(received, {})
    rows = await connection.fetch(
        ledger.named(
            "SELECT name, min(seq) AS seq FROM @held AS held JOIN @origin AS origin ON origin.id = held.origin"
            " WHERE stream = #stream AND reason <> 'skipped' GROUP BY name"
        ),
        stream,
    )
    return applied_vector(received, {row["name"]: row["seq"] for row in rows})


async def _done(ledger: Ledger, connection: Connection, op_ids: Sequence[OpId]) -> dict[OpId, Done]:
    rows = await connection.fetch(
        ledger.named(
            "SELECT client, sequence, request, origin.name, seq, status"
            " FROM unnest($1::text[], $2::bigint[]) AS given(client, sequence)"
            " JOIN @done USING (client, sequence) JOIN @origin AS origin ON origin.id = done.origin"
        ),
        [one.client for one in op_ids],
        [one.sequence for one in op_ids],
    )
    return {OpId(client, sequence): Done(*done) for client, sequence, *done in rows}


async def _states(ledger: Ledger, connection: Connection, stream: str, within: KeyRange) -> dict[str, KeyState]:
    rows = await connection.fetch(
        ledger.named(
            "SELECT key, state FROM @state WHERE stream = #stream AND key > $2 AND ($3::bytea IS NULL OR key <= $3)"
        ),
        stream,
        *bounds(within),
    )
    return {row["key"].decode(): decode_state(row["state"]) for row in rows}


async def _read(
    ledger: Ledger, connection: Connection, stream_id: int, dots: Sequence[Dot]
) -> dict[Dot, VersionVector]:
    """What the writers of these had read."""
    rows = await connection.fetch(
        ledger.named(
            "SELECT name, log.seq, head FROM unnest($2::text[], $3::bigint[]) AS given(name, seq)"
            " JOIN @origin AS origin USING (name) JOIN @log AS log ON log.stream = $1"
            " AND log.origin = origin.id AND log.seq = given.seq"
        ),
        stream_id,
        [origin for origin, _ in dots],
        [seq for _, seq in dots],
    )
    return {(row["name"], row["seq"]): decode_stored(row["head"]).vector() for row in rows}


async def _logged(ledger: Ledger, connection: Connection, stream_id: int, dots: list[Dot]) -> set[Dot]:
    """Those that are in the log already."""
    rows = await connection.fetch(
        ledger.named(
            "SELECT name, log.seq FROM unnest($2::text[], $3::bigint[]) AS given(name, seq) JOIN @origin AS origin"
            " USING (name) JOIN @log AS log ON log.stream = $1 AND log.origin = origin.id AND log.seq = given.seq"
        ),
        stream_id,
        [origin for origin, _ in dots],
        [seq for _, seq in dots],
    )
    return {(row["name"], row["seq"]) for row in rows}
