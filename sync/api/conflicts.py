"""What waits for somebody to decide, and what the clock has decided against.

GET  /{collection}/conflicts         keys with concurrent versions, and versions that lost under last_write_wins
GET  /{collection}/{key}/conflict    all versions with their values, and the context that a resolution names
POST /{collection}/{key}/conflict    the resolution: a new value, or `choose` one of the versions; itself an operation
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import msgspec

from sync.api import answering, asking, problems
from sync.api.messages import Answer, Request, json_answer
from sync.api.problems import Problem
from sync.api.records import MAX_PAGE, Records, limit_of
from sync.core.levels import asked_for
from sync.core.local_batch import entity_tag
from sync.core.policy import keeps_siblings
from sync.core.writes import Refusal, Write
from sync.store import Record

DEFAULT_PAGE: Final = 100


class Resolution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a POST."""

    context: str
    content_type: str = ""
    value: msgspec.Raw = msgspec.Raw()
    value_base64: str | None = None
    choose: str | None = None
    """The `version` of one of the siblings."""


_decoder: Final = msgspec.json.Decoder(Resolution)


async def list_conflicts(records: Records, request: Request, collection: str) -> Answer:
    """Raises Problem."""
    plan = records.plan(collection)
    query = request.query
    limit, after = limit_of(query, default=DEFAULT_PAGE, most=MAX_PAGE), query.get("after", "")
    if keeps_siblings(plan.conflict):
        listed = await records.store.in_conflict(plan.name, after=after, limit=limit + 1)
        items: list[dict[str, Any]] = [
            {"key": one.key, "versions": [version.name for version in one.state.versions], "state": "unresolved"}
            for one in listed[:limit]
        ]
        return json_answer({"items": items, "next": listed[limit - 1].key if len(listed) > limit else None})
    origin, _, seq = after.rpartition("/")
    if after and (not origin or not seq.isdecimal() or len(seq) > 18):
        raise Problem(400, "bad_after", "a malformed `after`, expected the `next` of the page before")
    found = await records.store.conflict_log(plan.name, after=(origin, int(seq)) if after else None, limit=limit + 1)
    items = [
        {
            "key": one.key,
            "lost": one.loser.name,
            "won": f"{one.winner[1]}@{one.winner[0]}",
            "content_type": one.loser.content_type,
            "size": one.loser.size,
            "written_at": answering.written_at(one.loser),
            "state": "lost",
            "value_base64": _encoded(await records.store.value_of(plan.name, one.loser.dot)),
        }
        for one in found[:limit]
    ]
    more = f"{found[limit - 1].loser.origin}/{found[limit - 1].loser.seq}" if len(found) > limit else None
    return json_answer({"items": items, "next": more})


async def get_conflict(records: Records, request: Request, collection: str, key: str) -> Answer:
    """Raises Problem."""
    plan = records.plan(collection)
    record = await _record(records, plan.name, key)
    headers = answering.record_headers(plan, key, record.state, signer=records.signer, session=None)
    deleted = [version.name for version in record.state.versions if version.is_deleted]
    document = {
        "siblings": answering.siblings(record.bodies),
        "deletes": deleted,
        "context": headers["Tidegate-Context"],
    }
    return json_answer(document, headers=headers)


async def resolve(records: Records, request: Request, collection: str, key: str) -> Answer:
    """Raises Problem."""
    plan = records.plan(collection)
    try:
        asked = _decoder.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, "bad_resolution", f"no resolution: {error}") from None
    context = asking.context_of(asked.context, stream=plan.name, key=key, signer=records.signer)
    value, content_type = _chosen(asked, await _record(records, plan.name, key), records.max_value)
    write = Write(
        stream=plan.name,
        key=key,
        kind="resolve",
        value=value,
        content_type=content_type,
        context=None if context is None else context.vector,
        seen_hlc=0 if context is None else context.hlc,
        op_id=asking.op_id_of(request.headers),
        actor=asking.actor_of(request.headers),
    )
    write = asking.with_digest(write, records.signer)
    wanted = asked_for(plan.mode, asking.write_level_of(request.headers, plan.write_level))
    (result,) = await records.store.write([write], now=records.wall())
    if isinstance(result, Refusal):
        raise problems.of_refusal(result)
    session = asking.sessions_of(request.headers, records.signer).get(plan.residency_class)
    return await records.written(plan, write, result, wanted, session)


async def _record(records: Records, stream: str, key: str) -> Record:
    record = await records.store.read(stream, key)
    if record is None or not record.state.is_conflicted:
        tag = entity_tag(record.state) if record is not None else ""
        found = f"one version, {tag}" if tag else "no value"
        raise Problem(404, "not_in_conflict", f"{found}, expected a key with concurrent versions")
    return record


def _chosen(asked: Resolution, record: Record, max_value: int) -> tuple[bytes, str]:
    has_json = bytes(asked.value) != b""
    if [has_json, asked.value_base64 is not None, asked.choose is not None].count(True) != 1:
        raise Problem(400, "bad_resolution", "expected exactly one of value, value_base64 and choose")
    if asked.choose is not None:
        for body in record.bodies:
            if body.version.name == asked.choose and body.value is not None:
                return body.value, body.version.content_type
        raise Problem(409, "no_such_version", f"version {asked.choose[:100]!r}, expected one of the siblings")
    if has_json:
        value, content_type = bytes(asked.value), asking.content_type_of(asked.content_type or "application/json")
    else:
        try:
            value = base64.b64decode(asked.value_base64 or "", validate=True)
        except (binascii.Error, ValueError):
            raise Problem(400, "bad_resolution", "a value_base64 that is no base64") from None
        content_type = asking.content_type_of(asked.content_type)
        asking.check_value(content_type, value)
    if len(value) > max_value:
        raise Problem(413, "body_too_large", f"a value of {len(value)} bytes, expected at most {max_value}")
    return value, content_type


def _encoded(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
