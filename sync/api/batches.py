"""POST /batch: an offline queue, or many writes at once. Each item is judged alone, in order; the rest go on.

Neighbouring items share transactions. Durability is waited for once, for the whole batch; an item whose level was not
reached in time is 202: durable here.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from sync.api import asking, problems
from sync.api.messages import Answer, Request, json_answer
from sync.api.paths import checked_key
from sync.api.problems import Problem
from sync.api.records import Records
from sync.core.contexts import seal_context
from sync.core.levels import Durability, asked_for, satisfies
from sync.core.local_batch import entity_tag
from sync.core.op_ids import OpId, parse_op_id
from sync.core.plans import CollectionPlan
from sync.core.primacy import Elsewhere, Here
from sync.core.writes import Refusal, Write, Written
from sync.errors import SyncError

MAX_ITEMS: Final = 1000
MAX_BYTES: Final = 16 << 20
"""Of a batch's body: what one request may hold in memory."""


ITEMS_A_TURN: Final = 32
"""About half a millisecond."""


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One operation as it is sent."""

    method: Literal["PUT", "PATCH", "DELETE"]
    collection: str
    key: str
    op_id: str | None = None
    content_type: str = ""
    value: msgspec.Raw = msgspec.Raw()
    value_base64: str | None = None
    context: str | None = None


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Items are decoded one by one, so that a malformed one costs itself only."""

    operations: list[msgspec.Raw]


_body: Final = msgspec.json.Decoder(Body)
_item: Final = msgspec.json.Decoder(Item)
_op_id_only: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text: Final = msgspec.json.Decoder(str)
_KINDS: Final[dict[str, Literal["put", "patch", "delete"]]] = {"PUT": "put", "PATCH": "patch", "DELETE": "delete"}


async def batch(records: Records, request: Request) -> Answer:
    """Raises Problem when there is no batch at all."""
    try:
        operations = _body.decode(request.body).operations
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, "bad_batch", f'no batch ({error}), expected {{"operations": [...]}}') from None
    if len(operations) > MAX_ITEMS:
        raise Problem(413, "batch_too_large", f"{len(operations)} operations, expected at most {MAX_ITEMS}")
    level, actor = request.headers.get("tidegate-write-level"), asking.actor_of(request.headers)
    results: list[dict[str, Any]] = []
    writes: list[tuple[int, Write, Durability]] = []
    elsewhere: dict[str, list[tuple[int, msgspec.Raw]]] = {}
    under_lease: list[tuple[int, CollectionPlan, Here]] = []
    for raw in operations:
        result: dict[str, Any] = {"op_id": None}
        results.append(result)
        try:
            item, op_id = _decoded(raw, result)
            place = await _place(records, item, request.headers)
            if isinstance(place, Elsewhere):
                elsewhere.setdefault(place.region, []).append((len(results) - 1, raw))
                continue
            if place is not None:
                under_lease.append((len(results) - 1, records.plan(item.collection), place))
            write, wanted = _write(records, item, op_id, level, actor)
            writes.append((len(results) - 1, write, wanted))
        except Problem as problem:
            _refused(result, problem)
        await _let_others(len(results))
    await asyncio.gather(
        _commit(records, writes, results), *(_carry(records, request, *one, results) for one in elsewhere.items())
    )
    _check_leases(records, under_lease, results)
    return json_answer({"results": results})


async def _place(records: Records, item: Item, headers: Mapping[str, str]) -> Here | Elsewhere | None:
    """Where an item is written; None where every region takes writes. Raises Problem."""
    plan = records.plan(item.collection)
    if plan.primary is None:
        return None
    if records.primary is None:
        raise Problem(503, "no_primary", "this node cannot tell who takes writes to this collection")
    return await records.primary.standing(plan, headers)


async def _carry(
    records: Records,
    request: Request,
    region: str,
    items: list[tuple[int, msgspec.Raw]],
    results: list[Any],
) -> None:
    """To the region that takes them; its results as they are."""
    if records.primary is None:
        return
    try:
        answered = await records.primary.carry_batch(region, request.headers, [raw for _, raw in items])
    except Problem as problem:
        for index, _ in items:
            _refused(results[index], problem)
        return
    for (index, _), result in zip(items, answered, strict=True):
        results[index] = result


def _check_leases(
    records: Records, under_lease: list[tuple[int, CollectionPlan, Here]], results: list[dict[str, Any]]
) -> None:
    """Nothing written under a lease is acknowledged after it."""
    for index, plan, here in under_lease:
        try:
            if records.primary is not None and results[index].get("status", 500) < 400:
                records.primary.check(plan, here)
        except Problem as problem:
            _refused(results[index], problem)


async def _commit(records: Records, writes: list[tuple[int, Write, Durability]], results: list[dict[str, Any]]) -> None:
    """By class, since a class whose store is in trouble costs its own items only."""
    by_class: dict[str, list[tuple[int, Write, Durability]]] = {}
    for entry in writes:
        by_class.setdefault(records.plans[entry[1].stream].residency_class, []).append(entry)
    await asyncio.gather(*(_commit_class(records, entries, results) for entries in by_class.values()))


async def _commit_class(
    records: Records, entries: list[tuple[int, Write, Durability]], results: list[dict[str, Any]]
) -> None:
    try:
        outcomes = await records.store.write([write for _, write, _ in entries], now=records.wall())
    except SyncError as error:
        for index, _, _ in entries:
            _refused(results[index], problems.of_error(error))
        return
    waits = []
    for (index, write, wanted), outcome in zip(entries, outcomes, strict=True):
        if isinstance(outcome, Refusal):
            _refused(results[index], problems.of_refusal(outcome))
            continue
        state, result = outcome.state, results[index]
        result["status"] = outcome.status
        result["version"] = entity_tag(state)
        result["context"] = seal_context(write.stream, write.key, state.context, state.hlc(), records.signer)
        if wanted != "local":
            waits.append(_wait(records, records.plans[write.stream], outcome, wanted, result))
        await _let_others(index)
    if waits:
        await asyncio.gather(*waits)


async def _let_others(index: int) -> None:
    """Take turns: hundreds of items in one go would hold up every read, and the peers that pull what was written."""
    if index % ITEMS_A_TURN == 0:
        await asyncio.sleep(0)


async def _wait(
    records: Records, plan: CollectionPlan, outcome: Written, wanted: Durability, result: dict[str, Any]
) -> None:
    """Until other regions hold it, or its time is up."""
    if not satisfies(await records.durability(plan, outcome, wanted), wanted):
        result["status"] = 202


def _decoded(raw: msgspec.Raw, result: dict[str, Any]) -> tuple[Item, OpId | None]:
    try:
        item = _item.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        result["op_id"] = _op_id_of_malformed(raw)
        raise Problem(400, "bad_operation", f"no operation: {error}") from None
    if item.op_id is None:
        return item, None
    result["op_id"] = item.op_id[:256]
    op_id = parse_op_id(item.op_id)
    if op_id is None:
        raise Problem(400, "bad_operation_id", "a malformed op_id, expected <client>:<sequence>")
    return item, op_id


def _op_id_of_malformed(raw: msgspec.Raw) -> str | None:
    """So that a client knows which of its operations it was."""
    try:
        named = _op_id_only.decode(raw).get("op_id")
        return None if named is None else _text.decode(named)[:256]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _write(records: Records, item: Item, op_id: OpId | None, level: str | None, actor: str) -> tuple[Write, Durability]:
    plan = records.plan(item.collection)
    key = checked_key(item.key)
    context = asking.context_of(item.context, stream=plan.name, key=key, signer=records.signer)
    kind = _KINDS[item.method]
    value, content_type = _value(item)
    if len(value) > records.max_value:
        raise Problem(413, "body_too_large", f"a value of {len(value)} bytes, expected at most {records.max_value}")
    headers = {} if level is None else {"tidegate-write-level": level}
    wanted = asked_for(plan.mode, asking.write_level_of(headers, plan.write_level))
    write = Write(
        stream=plan.name,
        key=key,
        kind=kind,
        value=value,
        content_type=content_type,
        context=None if context is None else context.vector,
        seen_hlc=0 if context is None else context.hlc,
        op_id=op_id,
        actor=actor,
        needs_context=True,
    )
    return asking.with_digest(write, records.signer), wanted


def _value(item: Item) -> tuple[bytes, str]:
    """The value's bytes and type."""
    has_json, has_bytes = bytes(item.value) != b"", item.value_base64 is not None
    if item.method == "DELETE":
        if has_json or has_bytes:
            raise Problem(400, "bad_operation", "a DELETE with a value, expected none")
        return b"", ""
    if has_json == has_bytes:
        raise Problem(400, "bad_operation", "found both or neither of value and value_base64, expected one of them")
    if has_json:
        return bytes(item.value), asking.content_type_of(item.content_type or "application/json")
    try:
        value = base64.b64decode(item.value_base64 or "", validate=True)
    except (binascii.Error, ValueError):
        raise Problem(400, "bad_operation", "a value_base64 that is no base64") from None
    content_type = asking.content_type_of(item.content_type)
    asking.check_value(content_type, value)
    return value, content_type


def _refused(result: dict[str, Any], problem: Problem) -> None:
    result["status"] = problem.status
    result["problem"] = problem.document()
