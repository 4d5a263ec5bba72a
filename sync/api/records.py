"""One record: GET, PUT, PATCH, DELETE. And the list of a collection's keys.

PUT     201 new, 200 replaced       202 when the asked write level was not reached in time: durable here all the same
GET     200, 404, 300 with all versions while there are concurrent ones, 304 for who has it already
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final, Protocol, get_args
from urllib.parse import quote

from config.core.signing import Signer
from health.core import session_token
from health.core.session_token import SessionToken
from sync.api import answering, asking, problems
from sync.api.messages import Answer, Request, json_answer
from sync.api.primary import PrimaryGate
from sync.api.problems import Problem
from sync.core import merge_patch
from sync.core.dots import Dot
from sync.core.levels import Durability, ReadLevel, asked_for, reached, satisfies
from sync.core.local_batch import entity_tag
from sync.core.plans import CollectionPlan
from sync.core.versions import EMPTY
from sync.core.writes import Refusal, Write, WriteKind, Written
from sync.replication.barrier import Passed
from sync.resolving.merging import Merged, Merging
from sync.store import Record, Store

SESSION_WAIT_S: Final = 1.0
"""A read waits this long for what its session has seen elsewhere, then says so."""
MAX_PAGE: Final = 1000
DEFAULT_PAGE: Final = 100


class Reached(Protocol):
    """What a write has reached."""

    @property
    def durability(self) -> Durability: ...


class Confirm(Protocol):
    """Waits until enough regions hold a write; the replicator's `confirm`."""

    async def __call__(self, stream: str, dot: Dot, wanted: Durability, *, timeout_s: float) -> Reached: ...


class Barrier(Protocol):
    """Waits until this store has applied what others had; the replicator's `pass_barrier`."""

    async def __call__(self, stream: str, *, timeout_s: float, own_region_only: bool) -> Passed: ...


class Wall(Protocol):
    """Unix time in seconds."""

    def __call__(self) -> float: ...


class Records:
    """The collections of one store. `wall` is Unix time."""

    def __init__(
        self,
        store: Store,
        plans: Mapping[str, CollectionPlan],
        *,
        signer: Signer,
        confirm: Confirm,
        wall: Wall,
        max_value: int,
        ack_timeout_s: float,
        merging: Merging | None = None,
        barrier: Barrier | None = None,
        primary: PrimaryGate | None = None,
    ) -> None:
        self.store = store
        self.plans = plans
        self.signer = signer
        self.confirm = confirm
        self.wall = wall
        self.max_value = max_value
        self.ack_timeout_s = ack_timeout_s
        self.merging = merging
        self.barrier = barrier
        self.primary = primary

    def plan(self, collection: str) -> CollectionPlan:
        """Raises Problem: unknown, or not to be kept here."""
        plan = self.plans.get(collection)
        if plan is None:
            raise Problem(404, "unknown_collection", f"no collection {collection[:100]!r}")
        if not plan.is_here:
            detail = f"collection {plan.name} may not be kept in this region, expected {', '.join(plan.regions)}"
            raise Problem(421, "region_may_not_hold", detail)
        return plan

    async def get(self, request: Request, collection: str, key: str) -> Answer:
        plan = self.plan(collection)
        session = await self.caught_up(request.headers, plan)
        await self._look_around(plan, read_level_of(request.headers, plan))
        record = await self.store.read(plan.name, key)
        state = EMPTY if record is None else record.state
        headers = answering.record_headers(plan, key, state, signer=self.signer, session=session)
        if record is None or not record.bodies:
            answer = Problem(404, "no_such_key", "no value under this key").answer(request.id)
            answer.headers |= headers
            return answer
        tags = asking.tags_of(request.headers.get("if-none-match"))
        if tags is not None and (tags == ("*",) or entity_tag(state) in tags):
            return Answer(304, headers)
        if len(record.bodies) > 1:
            return await self._concurrent(plan, record, headers)
        (body,) = record.bodies
        if body.value is None:
            raise Problem(410, "value_erased", "the value was erased")
        headers |= answering.SAFE_TO_SHOW
        headers["Content-Type"] = body.version.content_type or asking.DEFAULT_TYPE
        return Answer(200, headers, body.value)

    async def _concurrent(self, plan: CollectionPlan, record: Record, headers: dict[str, str]) -> Answer:
        """All versions; or what the collection's function makes of them, which to write back with its context is up to
        the client."""
        if self.merging is not None and plan.conflict == "custom":
            merged = await self.merging.merged(plan, record)
            if isinstance(merged, Merged):
                headers |= answering.SAFE_TO_SHOW
                headers["Content-Type"] = merged.content_type or asking.DEFAULT_TYPE
                headers["Tidegate-Resolver"] = f"{merged.resolver}; versions={len(record.bodies)}"
                return Answer(200, headers, merged.value)
            headers["Tidegate-Unresolved"] = quote(merged.why, safe=" ,:;()'")
        return _concurrent(record, headers)

    async def _look_around(self, plan: CollectionPlan, level: ReadLevel) -> None:
        """What a read asked to see beyond this store is here when this returns. Raises Problem."""
        if level == "local" or self.barrier is None or (level == "global" and len(plan.regions) == 1):
            return
        passed = await self.barrier(plan.name, timeout_s=self.ack_timeout_s, own_region_only=level == "regional")
        if passed.silent:
            detail = f"a {level} read, and {', '.join(passed.silent)} did not answer"
            raise Problem(503, "read_level_not_reached", detail, retry_after_s=problems.RETRY_AFTER_S)
        if not passed.is_caught_up:
            detail = f"a {level} read, and this store has not yet applied what others had"
            raise Problem(503, "read_level_not_reached", detail, retry_after_s=problems.RETRY_AFTER_S)

    async def write(self, request: Request, kind: WriteKind, collection: str, key: str) -> Answer:
        plan = self.plan(collection)
        headers = request.headers
        value, content_type = b"", ""
        if kind != "delete":
            value = request.body
            content_type = asking.content_type_of(headers.get("content-type"))
            if kind == "put":
                asking.check_value(content_type, value)
            elif content_type.partition(";")[0] not in {merge_patch.CONTENT_TYPE, "application/json"}:
                detail = f"a patch of type {content_type}, expected {merge_patch.CONTENT_TYPE}"
                raise Problem(415, "unsupported_patch", detail)
        session = asking.sessions_of(headers, self.signer).get(plan.residency_class)
        write = asking.write_of(
            kind,
            stream=plan.name,
            key=key,
            value=value,
            content_type=content_type,
            headers=headers,
            session=session,
            signer=self.signer,
        )
        wanted = asked_for(plan.mode, asking.write_level_of(headers, plan.write_level))
        (result,) = await self.store.write([write], now=self.wall())
        if isinstance(result, Refusal):
            raise problems.of_refusal(result)
        return await self.written(plan, write, result, wanted, session)

    async def written(
        self, plan: CollectionPlan, write: Write, result: Written, wanted: Durability, session: SessionToken | None
    ) -> Answer:
        """The answer to a write that is done; waits for other regions, if that was asked."""
        durability = await self.durability(plan, result, wanted)
        status = result.status if satisfies(durability, wanted) else 202
        headers = answering.record_headers(
            plan, write.key, result.state, signer=self.signer, session=session, durability=durability
        )
        return Answer(status, headers)

    async def durability(self, plan: CollectionPlan, result: Written, wanted: Durability) -> Durability:
        """What the write has reached, at the latest after `ack_timeout`."""
        if wanted == "local" and len(plan.regions) != 1:
            return "local"
        at_once = reached(1, permitted=len(plan.regions))
        if satisfies(at_once, wanted):
            return at_once
        done = await self.confirm(plan.name, (result.origin, result.seq), wanted, timeout_s=self.ack_timeout_s)
        return done.durability

    async def list_keys(self, request: Request, collection: str) -> Answer:
        plan = self.plan(collection)
        session = await self.caught_up(request.headers, plan)
        await self._look_around(plan, read_level_of(request.headers, plan))
        query = request.query
        limit = limit_of(query, default=DEFAULT_PAGE, most=MAX_PAGE)
        after, prefix = query.get("after", ""), query.get("prefix", "")
        heads = await self.store.heads(plan.name)
        listed = await self.store.list_keys(plan.name, prefix=prefix, after=after, limit=limit + 1)
        items = []
        for one in listed[:limit]:
            live = [version for version in one.state.versions if not version.is_deleted]
            latest = max(live, key=lambda version: version.order)
            item: dict[str, object] = {
                "key": one.key,
                "version": entity_tag(one.state),
                "content_type": latest.content_type,
                "size": latest.size,
                "written_at": answering.written_at(latest),
            }
            if len(live) > 1:
                item["versions"] = len(live)
            items.append(item)
        token = SessionToken(plan.residency_class, 0, {plan.name: heads.applied})
        token = token if session is None else session.joined(token)
        return json_answer(
            {"items": items, "next": listed[limit - 1].key if len(listed) > limit else None},
            headers={session_token.HEADER: session_token.seal(token, self.signer)},
        )

    async def caught_up(self, headers: Mapping[str, str], plan: CollectionPlan) -> SessionToken | None:
        """The session's token for this class, once the store has applied what it has seen. Raises Problem."""
        session = asking.sessions_of(headers, self.signer).get(plan.residency_class)
        if session is None or plan.name not in session.seen:
            return session
        until = time.monotonic() + SESSION_WAIT_S
        asked = SessionToken(session.residency_class, session.hlc, {plan.name: session.seen[plan.name]})
        while True:
            position = (await self.store.cursor(plan.name)).position
            heads = await self.store.heads(plan.name)
            if asked.is_covered({plan.name: heads.applied}):
                return session
            left_s = until - time.monotonic()
            if left_s <= 0 or not await self.store.wait_for_change({plan.name: position}, timeout_s=left_s):
                detail = "this region has not yet applied what this session has seen"
                raise Problem(503, "behind_session", detail, retry_after_s=problems.RETRY_AFTER_S)
            await asyncio.sleep(0)


def limit_of(query: Mapping[str, str], *, default: int, most: int) -> int:
    """Raises Problem."""
    text = query.get("limit")
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= most:
        raise Problem(400, "bad_limit", f"limit {text[:20]!r}, expected a number from 1 to {most}")
    return int(text)


def _concurrent(record: Record, headers: dict[str, str]) -> Answer:
    document = {"siblings": answering.siblings(record.bodies), "context": headers["Tidegate-Context"]}
    return json_answer(document, status=300, headers=headers)


def read_level_of(headers: Mapping[str, str], plan: CollectionPlan) -> ReadLevel:
    """Raises Problem."""
    value = headers.get("tidegate-read-level", plan.read_level)
    for level in get_args(ReadLevel):
        if value == level:
            found: ReadLevel = level
            return found
    raise Problem(400, "bad_read_level", "an unknown Tidegate-Read-Level, expected local, regional or global")
