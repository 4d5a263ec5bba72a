"""The writer's side of what peers send: one batch, one commit; what came before a fault is kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sync.core.arrivals import ArrivalBatch, ReceiptProblem, Verdict, operation_dot, readable_heads
from sync.core.dots import Dot
from sync.core.local_batch import Appended
from sync.core.op_ids import OpId
from sync.core.operation import Operation, Sealed, decode_stored, head_hash
from sync.core.versions import KeyState
from sync.postgres.draft import Draft, Known, copied
from sync.postgres.fetching import Fetched
from sync.postgres.ledger import Ledger, judged
from sync.postgres.server import Connection

Receiving = tuple[dict[Verdict, int], ReceiptProblem | None]


async def receive(
    ledger: Ledger, stream: str, operations: Sequence[Sealed], *, now: float, poison: Collection[Dot] = ()
) -> Receiving:
    """Counts by verdict, and why the rest was not taken."""
    heads = readable_heads(operations)

    async def judge(connection: Connection, known: Known) -> tuple[Draft, Receiving]:
        # Nothing is asked for what is known already: a batch that comes again costs no rows. Nor for what is poison:
        # the database may refuse the very question.
        received = known.heads.get(stream, {})
        news = [
            one for one in heads if one.seq > copied(received.get(one.origin)).seq and operation_dot(one) not in poison
        ]
        fetched = await _fetched(ledger, connection, known, stream, news)
        held_keys = await _held_keys(ledger, connection, known, stream)

        def decide() -> tuple[Draft, Receiving]:
            batch = _batch(ledger, known, stream, heads, fetched=fetched, held_keys=held_keys)
            counts, problem = batch.take_all(operations, now=now, heads=heads, poison=poison)
            draft = Draft(known, now=now)
            _commit(ledger, draft, batch, fetched)
            draft.put_held(stream, batch.held, ledger.cipher)
            for origin, head in batch.heads.items():
                if head.seq != copied(received.get(origin)).seq:
                    draft.put_head(stream, origin, head)
            return draft, (counts, problem)

        return await judged(len(operations), decide)

    return await ledger.attempt(judge)


async def release(ledger: Ledger, stream: str, *, now: float, sound: Sequence[Sealed] = ()) -> int:
    """Apply what nothing holds any more; how many. `sound`: copies of what is quarantined."""
    copies = dict(zip(map(operation_dot, readable_heads(sound)), sound, strict=False))

    async def judge(connection: Connection, known: Known) -> tuple[Draft, int]:
        waiting = await held(ledger, connection, stream)
        heads = [*(one.operation for one, reason in waiting if reason != "quarantined"), *readable_heads(sound)]
        fetched = await _fetched(ledger, connection, known, stream, heads)
        batch = _batch(ledger, known, stream, heads, fetched=fetched, held_keys=set())
        before = {origin: head.digest for origin, head in batch.heads.items()}
        batch.release_all(waiting, now=now, sound=copies)
        draft = Draft(known, now=now)
        _commit(ledger, draft, batch, fetched)
        draft.put_held(stream, batch.held, ledger.cipher)
        draft.put_applied(stream, batch.appended)
        for origin, head in batch.heads.items():
            if head.digest != before[origin]:
                draft.put_head(stream, origin, head)
        return draft, len(batch.appended)

    return await ledger.attempt(judge)


async def skip(ledger: Ledger, stream: str, dot: Dot) -> bool:
    """Hold a quarantined operation no longer against its key."""
    async with ledger.exclusive() as (connection, known):
        skipped = await connection.fetchval(
            ledger.named(
                "UPDATE @held SET reason = 'skipped' WHERE stream = $1 AND reason = 'quarantined'"
                " AND origin = (SELECT id FROM @origin WHERE name = $2) AND seq = $3 RETURNING true"
            ),
            known.streams[stream],
            *dot,
        )
        return bool(skipped)


async def held(ledger: Ledger, connection: Connection, stream: str) -> list[tuple[Appended, str]]:
    """In the order of sequences, by origin, each with its reason; nothing that was skipped."""
    rows = await connection.fetch(
        ledger.named(
            "SELECT origin.name, seq, head, salt, value, cipher, reason FROM @held AS held"
            " JOIN @origin AS origin ON origin.id = held.origin JOIN @stream AS stream ON stream.id = held.stream"
            " WHERE stream.name = $1 AND reason <> 'skipped' ORDER BY held.origin, seq"
        ),
        stream,
    )
    found = []
    for origin, seq, head, salt, stored, key_id, reason in rows:
        value = ledger.cipher.open(stored, key_id, stream, origin, seq)
        found.append((Appended(decode_stored(head), Sealed(head, salt, value), head_hash(head)), reason))
    return found


async def _fetched(
    ledger: Ledger, connection: Connection, known: Known, stream: str, heads: Sequence[Operation]
) -> Fetched:
    return await ledger.fetch(
        connection,
        known,
        {(stream, one.key) for one in heads},
        {OpId(one.client, one.sequence) for one in heads if one.client},
    )


async def _held_keys(ledger: Ledger, connection: Connection, known: Known, stream: str) -> set[tuple[str, str]]:
    if stream not in known.held:
        return set()
    rows = await connection.fetch(
        ledger.named(
            "SELECT name, key FROM @held AS held JOIN @origin AS origin ON id = origin"
            " WHERE stream = $1 AND reason <> 'skipped'"
        ),
        known.streams[stream],
    )
    return {(name, key.decode()) for name, key in rows}


def _batch(
    ledger: Ledger,
    known: Known,
    stream: str,
    heads: Sequence[Operation],
    *,
    fetched: Fetched,
    held_keys: set[tuple[str, str]],
) -> ArrivalBatch:
    received = known.heads.get(stream, {})
    return ArrivalBatch(
        stream=stream,
        own_origin=known.origin,
        clock=ledger.clock,
        plan=ledger.plans[stream],
        heads={origin: copied(received.get(origin)) for origin in {one.origin for one in heads}},
        states=_by_key(fetched.states),
        held_keys=held_keys,
        done=dict(fetched.done),
    )


def _by_key(states: Mapping[tuple[str, str], KeyState]) -> dict[str, KeyState]:
    return {key: state for (_, key), state in states.items()}


def _commit(ledger: Ledger, draft: Draft, batch: ArrivalBatch, fetched: Fetched) -> None:
    draft.append(batch.appended, ledger.cipher)
    draft.put_states(
        fetched.states,
        {(batch.stream, key): state for key, state in batch.changed.items()},
        batch.appended,
        [(batch.stream, key, loss) for key, loss in batch.losses],
    )
    draft.put_done(batch.newly_done)
