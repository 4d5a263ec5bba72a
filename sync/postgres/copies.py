"""The readers' side of comparing and copying: digests of key ranges, pages of key states, where a log goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from sync.core.absorbing import Entry, Page
from sync.core.arrivals import operation_dot
from sync.core.digests import HALF_BITS, HALF_MASK, Digest, KeyRange
from sync.core.dots import Dot
from sync.core.op_ids import Done, OpId
from sync.core.operation import Sealed, decode_stored
from sync.core.versions import decode_state
from sync.errors import StoreUnavailable
from sync.postgres.snapshot import Snapshot
from sync.postgres.views import Views
from sync.store import Base, Digests

_decode_vector: Final = msgspec.msgpack.Decoder(dict[str, int]).decode

WITHIN: Final = "FROM @state WHERE stream = #stream AND key > $2 AND ($3::bytea IS NULL OR key <= $3)"
DIGEST: Final = (
    f"SELECT count(*), coalesce(sum(digest & {HALF_MASK}), 0)::bigint, coalesce(sum(digest >> {HALF_BITS}), 0)::bigint"
    f" {WITHIN} AND digest <> 0"
)
COUNT: Final = f"SELECT count(*) {WITHIN} AND digest <> 0"
BOUND: Final = f"SELECT key {WITHIN} AND digest <> 0 ORDER BY key LIMIT 1 OFFSET $4"
STATES: Final = f"SELECT key, state {WITHIN} ORDER BY key LIMIT $4"
LOGGED: Final = (
    " FROM unnest($2::text[], $3::bigint[]) AS given(name, seq) JOIN @origin AS origin USING (name)"
    " JOIN @log AS log ON log.stream = #stream AND log.origin = origin.id AND log.seq = given.seq"
)
SIZES: Final = f"SELECT name, log.seq, length(head) + length(salt) + length(value) AS size {LOGGED}"
OPERATIONS: Final = f"SELECT name, log.seq, head, salt, value, cipher {LOGGED}"


async def digests(views: Views, stream: str, ranges: Sequence[KeyRange]) -> Digests:
    async with views.snapshot() as snapshot:
        found = [(await snapshot.ask(DIGEST, stream, *bounds(one)))[0] for one in ranges]
        applied = (await snapshot.heads(stream)).applied
        return Digests(applied, await snapshot.vector(stream, "horizon"), tuple(Digest(*row) for row in found))


async def split(views: Views, stream: str, within: KeyRange, *, pieces: int) -> list[str]:
    async with views.snapshot() as snapshot:
        keys = (await snapshot.ask(COUNT, stream, *bounds(within)))[0][0]
        step = max(1, -(-keys // pieces))
        found: list[str] = []
        at = within
        for _ in range(-(-keys // step) - 1):
            row = (await snapshot.ask(BOUND, stream, *bounds(at), step - 1))[0]
            found.append(row["key"].decode())
            at = KeyRange(found[-1], within.upto)
        return found


async def page(views: Views, stream: str, within: KeyRange, *, limit: int, max_bytes: int) -> Page:
    async with views.snapshot() as snapshot:
        rows = await snapshot.ask(STATES, stream, *bounds(within), limit + 1)
        states = [(row["key"].decode(), decode_state(row["state"])) for row in rows]
        dots = [[version.dot for version in state.versions] for _, state in states]
        sizes = await _by_dot(snapshot, SIZES, stream, [dot for each in dots for dot in each])
        count = size = 0
        for row, each in zip(rows[:limit], dots, strict=False):
            size += len(row["state"]) + sum(_there(sizes, stream, dot)["size"] for dot in each)
            if count and size > max_bytes:
                break
            count += 1
        held = await _by_dot(snapshot, OPERATIONS, stream, [dot for each in dots[:count] for dot in each])
        also = [dot for _, state in states[:count] for version in state.versions for dot in version.also]
        twins = {operation_dot(decode_stored(one.head)): one for one in await snapshot.logged(stream, also) if one.salt}
        entries = [
            Entry(
                key,
                state,
                tuple(_sealed(views, stream, dot, _there(held, stream, dot)) for dot in each),
                tuple(twins[dot] for version in state.versions for dot in version.also if dot in twins),
            )
            for (key, state), each in zip(states[:count], dots, strict=False)
        ]
        applied, horizon = (await snapshot.heads(stream)).applied, await snapshot.vector(stream, "horizon")
        return Page(applied, horizon, tuple(entries), entries[-1].key if count < len(rows) else None)


async def base(views: Views, stream: str) -> Base:
    async with views.snapshot() as snapshot:
        heads = await snapshot.heads(stream)
        found: Base = {}
        for origin, seq in heads.applied.items():
            if seq == heads.received[origin]:
                found[origin] = (seq, heads.digests[origin])
                continue
            # What comes next is held, and names it.
            rows = await snapshot.ask(
                "SELECT head FROM @held WHERE stream = #stream AND origin = (SELECT id FROM @origin WHERE name = $2)"
                " AND seq = $3",
                stream,
                origin,
                seq + 1,
            )
            found[origin] = (seq, decode_stored(rows[0]["head"]).previous)
        return found


async def remembered(views: Views, after: OpId | None, *, limit: int) -> list[tuple[OpId, Done]]:
    rows = await views.ask(
        "SELECT client, sequence, request, name, seq, status FROM @done AS done JOIN @origin AS origin"
        " ON origin.id = done.origin WHERE (client, sequence) > ($1, $2) ORDER BY client, sequence LIMIT $3",
        *(("", 0) if after is None else (after.client, after.sequence)),
        limit,
    )
    return [(OpId(client, sequence), Done(*done)) for client, sequence, *done in rows]


def bounds(within: KeyRange) -> tuple[bytes, bytes | None]:
    """As `WITHIN` takes them."""
    return within.after.encode(), None if within.upto is None else within.upto.encode()


async def _by_dot(snapshot: Snapshot, statement: str, stream: str, dots: Sequence[Dot]) -> dict[Dot, Any]:
    rows = await snapshot.ask(statement, stream, [origin for origin, _ in dots], [seq for _, seq in dots])
    return {(row["name"], row["seq"]): row for row in rows}


def _there(rows: dict[Dot, Any], stream: str, dot: Dot) -> Any:
    row = rows.get(dot)
    if row is None:
        raise StoreUnavailable(f"operation {dot[1]}@{dot[0]} of {stream} is missing from the log")
    return row


def _sealed(views: Views, stream: str, dot: Dot, row: Any) -> Sealed:
    return views.cipher.to_send(Sealed(row["head"], row["salt"], row["value"]), row["cipher"], stream, *dot)
