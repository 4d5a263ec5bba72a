"""The writer's side of what peers send: one batch, one transaction; what came before a fault is kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sync.core.arrivals import ArrivalBatch, ReceiptProblem, Verdict, operation_dot, readable_heads
from sync.core.dots import Dot
from sync.core.local_batch import Appended, Head
from sync.core.op_ids import OpId
from sync.core.operation import Operation, Sealed, decode_stored, head_hash
from sync.core.versions import KeyState
from sync.sqlite.ledger import Committing, Ledger


def receive(
    ledger: Ledger, stream: str, operations: Sequence[Sealed], *, now: float, poison: Collection[Dot] = ()
) -> tuple[dict[Verdict, int], ReceiptProblem | None]:
    """Counts by verdict, and why the rest was not taken."""
    with ledger.transaction(now=now) as committing:
        heads = readable_heads(operations)
        states = ledger.states({(stream, head.key) for head in heads})
        batch = _batch(ledger, stream, states, heads)
        counts, problem = batch.take_all(operations, now=now, heads=heads, poison=poison)
        before = {origin: ledger.head(stream, origin) for origin in batch.heads}
        _commit(ledger, stream, batch, states, committing)
        _hold(ledger, stream, batch)
        for origin, head in batch.heads.items():
            if head.seq != before[origin].seq:
                ledger.put_head(stream, origin, head)
    return counts, problem


def release(ledger: Ledger, stream: str, *, now: float, sound: Sequence[Sealed] = ()) -> int:
    """Apply what nothing holds any more; how many. `sound`: copies of what is quarantined."""
    with ledger.transaction(now=now) as committing:
        waiting = held(ledger, stream)
        if not waiting:
            return 0
        copies = dict(zip(map(operation_dot, readable_heads(sound)), sound, strict=False))
        heads = [*(one.operation for one, reason in waiting if reason != "quarantined"), *readable_heads(sound)]
        states = ledger.states({(stream, head.key) for head in heads})
        batch = _batch(ledger, stream, states, heads)
        before = {origin: head.digest for origin, head in batch.heads.items()}
        batch.release_all(waiting, now=now, sound=copies)
        _commit(ledger, stream, batch, states, committing)
        _hold(ledger, stream, batch)
        for origin, head in batch.heads.items():
            if head.digest != before[origin]:
                ledger.put_head(stream, origin, head)
        stream_id = ledger.stream_id(stream)
        ledger.connection.executemany(
            "DELETE FROM held WHERE stream = ? AND origin = ? AND seq = ?",
            [(stream_id, ledger.origin_id(one.operation.origin), one.operation.seq) for one in batch.appended],
        )
        return len(batch.appended)


def skip(ledger: Ledger, stream: str, dot: Dot) -> bool:
    """Hold a quarantined operation no longer against its key."""
    with ledger.transaction(now=0.0):
        skipped = ledger.connection.execute(
            "UPDATE held SET reason = 'skipped' WHERE stream = ? AND reason = 'quarantined'"
            " AND origin = (SELECT id FROM origin WHERE name = ?) AND seq = ?",
            (ledger.stream_id(stream), *dot),
        )
        return skipped.rowcount > 0


def held(ledger: Ledger, stream: str) -> list[tuple[Appended, str]]:
    """In the order of sequences, by origin, each with its reason; nothing that was skipped."""
    select = (
        "SELECT name, seq, head, salt, value, cipher, reason FROM held JOIN origin ON origin.id = held.origin"
        " WHERE stream = ? AND reason <> 'skipped' ORDER BY held.origin, seq"
    )
    found = []
    for origin, seq, head, salt, stored, key_id, reason in ledger.connection.execute(
        select, (ledger.stream_id(stream),)
    ):
        value = ledger.cipher.open(stored, key_id, stream, origin, seq)
        found.append((Appended(decode_stored(head), Sealed(head, salt, value), head_hash(head)), reason))
    return found


def _batch(
    ledger: Ledger, stream: str, states: Mapping[tuple[str, str], KeyState], operations: Sequence[Operation]
) -> ArrivalBatch:
    select = (
        "SELECT name, key FROM held JOIN origin ON origin.id = held.origin WHERE stream = ? AND reason <> 'skipped'"
    )
    return ArrivalBatch(
        stream=stream,
        own_origin=ledger.origin,
        clock=ledger.clock,
        plan=ledger.plans[stream],
        heads={
            origin: Head(head.seq, head.digest)
            for origin in {operation.origin for operation in operations}
            for head in [ledger.head(stream, origin)]
        },
        states={key: state for (_, key), state in states.items()},
        held_keys={(name, key) for name, key in ledger.connection.execute(select, (ledger.stream_id(stream),))},
        done=ledger.remembered([OpId(one.client, one.sequence) for one in operations if one.client]),
    )


def _commit(
    ledger: Ledger,
    stream: str,
    batch: ArrivalBatch,
    before: Mapping[tuple[str, str], KeyState],
    committing: Committing,
) -> None:
    """`before`: states of all keys in the batch, as they were."""
    if not batch.appended and not batch.changed:
        return
    ledger.append(batch.appended, committing)
    losses = [(stream, key, loss) for key, loss in batch.losses]
    ledger.put_states(
        before,
        {(stream, key): state for key, state in batch.changed.items()},
        batch.appended,
        losses,
        committing,
    )
    ledger.put_losses(losses, committing)
    ledger.put_done(batch.newly_done, committing.now)


def _hold(ledger: Ledger, stream: str, batch: ArrivalBatch) -> None:
    rows = []
    for one in batch.held:
        operation, sealed = one.appended.operation, one.appended.sealed
        stored, key_id = ledger.cipher.close(sealed.value, stream, operation.origin, operation.seq)
        place = (ledger.stream_id(stream), ledger.origin_id(operation.origin), operation.seq, operation.key)
        rows.append((*place, one.reason, one.visible_at, sealed.head, sealed.salt, stored, key_id))
    ledger.connection.executemany("INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
