"""The writer's side of what other stores hold: pages of key states, the end of a snapshot, small notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from sync.core.absorbing import AbsorbBatch, Absorbed, Page, Purpose, dots_of, events_of
from sync.core.arrivals import applied_vector
from sync.core.digests import KeyRange
from sync.core.dots import Dot, VersionVector, joined
from sync.core.local_batch import Appended, Head
from sync.core.loss_log import KnownLoss, recordable, room_for
from sync.core.operation import decode_stored
from sync.core.reconciling import Side
from sync.core.versions import EMPTY, KeyState, decode_state
from sync.sqlite.ledger import Committing, Ledger
from sync.sqlite.views import LAST
from sync.store import Base

_encode: Final = msgspec.msgpack.Encoder().encode


def absorb(ledger: Ledger, stream: str, page: Page, within: KeyRange, *, purpose: Purpose, now: float) -> Absorbed:
    """One page, one transaction. Raises Malformed or TooEarly."""
    with ledger.transaction(now=now) as committing:
        covered = KeyRange(within.after, within.upto if page.next is None else page.next)
        states = _states(ledger, stream, covered)
        batch = AbsorbBatch(
            stream=stream,
            purpose=purpose,
            plan=ledger.plans[stream],
            clock=ledger.clock,
            mine=Side(_applied(ledger, stream), ledger.vector(stream, "horizon")),
            states=states,
            read=_read(ledger, stream, dots_of((*states.values(), *(entry.state for entry in page.entries)))),
            done=ledger.remembered(events_of(states.values())) if purpose == "snapshot" else {},
        )
        batch.take(page, within, now=now)
        _commit(ledger, stream, batch, committing)
    return Absorbed(tuple(batch.repaired), batch.suspected, len(batch.changed), batch.damaged)


def take_losses(ledger: Ledger, stream: str, losses: Sequence[KnownLoss], *, now: float) -> int:
    """Conflict records of another store, in one transaction; how many were sound."""
    with ledger.transaction(now=now) as committing:
        states = {key: state for (_, key), state in ledger.states({(stream, one.key) for one in losses}).items()}
        found = recordable(stream, losses, states, room=room_for(ledger.max_conflict_bytes, ledger.conflict_bytes))
        _log(ledger, stream, [one.appended for one in found], committing)
        ledger.put_records([(one.record, one.detected_ms) for one in found], committing)
    return len(found)


def adopt(ledger: Ledger, stream: str, base: Base, horizon: VersionVector) -> None:
    """Go on from the end of a snapshot."""
    with ledger.transaction(now=0.0):
        stream_id = ledger.stream_id(stream)
        pruned = ledger.vector(stream, "pruned")
        for origin, (seq, digest) in base.items():
            if seq <= ledger.head(stream, origin).seq:
                continue
            ledger.put_head(stream, origin, Head(seq, digest))
            pruned = joined(pruned, {origin: seq})
        for origin, (seq, _) in base.items():
            ledger.connection.execute(
                "DELETE FROM held WHERE stream = ? AND origin = ? AND seq <= ?",
                (stream_id, ledger.origin_id(origin), seq),
            )
        ledger.connection.execute(
            "UPDATE stream SET pruned = ?, horizon = ?, horizon_n = max(horizon_n, ?) WHERE id = ?",
            (_encode(pruned), _encode(joined(ledger.vector(stream, "horizon"), horizon)), ledger.position, stream_id),
        )
    ledger.reload()


def note(ledger: Ledger, stream: str, name: str, value: bytes | None) -> None:
    with ledger.transaction(now=0.0):
        place = (ledger.stream_id(stream), name)
        if value is None:
            ledger.connection.execute("DELETE FROM note WHERE stream = ? AND name = ?", place)
        else:
            ledger.connection.execute("INSERT OR REPLACE INTO note VALUES (?, ?, ?)", (*place, value))


def forget_member(ledger: Ledger, stream: str, member: str) -> None:
    with ledger.transaction(now=0.0):
        place = (ledger.stream_id(stream), member)
        ledger.connection.execute("DELETE FROM acknowledged WHERE stream = ? AND member = ?", place)


def _applied(ledger: Ledger, stream: str) -> VersionVector:
    stream_id = ledger.stream_id(stream)
    received = dict(
        ledger.connection.execute(
            "SELECT name, seq FROM head JOIN origin ON origin.id = head.origin WHERE stream = ?", (stream_id,)
        ).fetchall()
    )
    held = dict(
        ledger.connection.execute(
            "SELECT name, min(seq) FROM held JOIN origin ON origin.id = held.origin"
            " WHERE stream = ? AND reason <> 'skipped' GROUP BY name",
            (stream_id,),
        ).fetchall()
    )
    return applied_vector(received, held)


def _states(ledger: Ledger, stream: str, within: KeyRange) -> dict[str, KeyState]:
    rows = ledger.connection.execute(
        "SELECT key, state FROM state WHERE stream = ? AND key > ? AND key <= ?",
        (ledger.stream_id(stream), within.after, LAST if within.upto is None else within.upto),
    )
    return {key: decode_state(state) for key, state in rows}


def _read(ledger: Ledger, stream: str, dots: Iterable[Dot]) -> dict[Dot, VersionVector]:
    found: dict[Dot, VersionVector] = {}
    # No id is given to an origin that only a peer's page names.
    select = "SELECT head FROM log WHERE stream = ? AND origin = (SELECT id FROM origin WHERE name = ?) AND seq = ?"
    for origin, seq in dots:
        row = ledger.connection.execute(select, (ledger.stream_id(stream), origin, seq)).fetchone()
        if row is not None:
            found[origin, seq] = decode_stored(row[0]).vector()
    return found


def _commit(ledger: Ledger, stream: str, batch: AbsorbBatch, committing: Committing) -> None:
    if not batch.changed and not batch.losses:
        return
    _log(ledger, stream, batch.needed, committing)
    before = {(stream, key): batch.states.get(key, EMPTY) for key in batch.changed}
    changed = {(stream, key): state for key, state in batch.changed.items()}
    losses = [(stream, key, loss) for key, loss in batch.losses]
    ledger.put_states(before, changed, [], losses, committing)
    ledger.put_losses(losses, committing)
    gone = [(ledger.stream_id(stream), key) for key, state in batch.changed.items() if not state.versions]
    ledger.connection.executemany("DELETE FROM state WHERE stream = ? AND key = ?", gone)


def _log(ledger: Ledger, stream: str, needed: Sequence[Appended], committing: Committing) -> None:
    """Rows that the log would bring later, or never."""
    needed = [one for one in needed if not _is_logged(ledger, one)]
    ledger.append(needed, committing)
    heads = {one.operation.origin: ledger.head(stream, one.operation.origin).seq for one in needed}
    ledger.ahead |= {
        (stream, one.operation.origin, one.operation.seq)
        for one in needed
        if one.operation.seq > heads[one.operation.origin] or _is_held(ledger, one)
    }


def _is_logged(ledger: Ledger, one: Appended) -> bool:
    return _is_in(ledger, "log", one)


def _is_held(ledger: Ledger, one: Appended) -> bool:
    return _is_in(ledger, "held", one)


def _is_in(ledger: Ledger, table: str, one: Appended) -> bool:
    operation = one.operation
    ids = (ledger.stream_id(operation.stream), ledger.origin_id(operation.origin), operation.seq)
    select = f"SELECT 1 FROM {table} WHERE stream = ? AND origin = ? AND seq = ?"  # noqa: S608 - one of two names of ours
    return ledger.connection.execute(select, ids).fetchone() is not None
