"""What do operators ask of the data? How each collection is, what is received and not applied; and to try that again.

    collections   one line each: where it is kept, how it is kept, figures counted now
    quarantine    operations that wait or are not understood, and origins from which nothing is taken any more
    retry         ask peers again for what came damaged, trust an origin again, apply what nothing holds back
    release       go on without a quarantined operation

Keys are clients' data: whoever serves these answers asks for more than a viewer's role where they name any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol

import msgspec

from sync.api.problems import Problem
from sync.api.records import Records
from sync.core.dots import Dot
from sync.core.plans import CollectionPlan
from sync.errors import SyncError
from sync.store import HeldOperation

MAX_HELD: Final = 1000
MAX_DIGITS: Final = 19
"""Of a sequence."""


class Distrusted(msgspec.Struct, frozen=True):
    """An origin from which one peer's word is taken no more."""

    peer: str
    collection: str
    origin: str
    why: str


class Found(msgspec.Struct, frozen=True):
    """Why an operation is in quarantine."""

    why: str
    peer: str
    """Whose copy it was."""
    at: float


class Trust(Protocol):
    """What of replication operators can change."""

    async def quarantined(self, stream: str) -> Mapping[str, Found]:
        """By version: why each is held."""
        ...

    async def ask_again(self, stream: str, origin: str | None) -> int:
        """Ask all peers for sound copies of what is quarantined; how many came."""
        ...

    async def give_up(self, stream: str, dot: Dot) -> bool:
        """Go on without a quarantined operation; False where it is none."""
        ...

    def distrusted(self) -> Sequence[Distrusted]: ...

    def trust_again(self, stream: str, origin: str) -> Sequence[str]:
        """Peers that are asked for this origin's operations again."""
        ...


class Retry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operator's order."""

    collection: str
    action: Literal["retry", "release"] = "retry"
    origin: str | None = None
    """To retry; None: of all."""
    version: str | None = None
    """To release."""


async def collections(records: Records, faults: Mapping[str, str]) -> list[dict[str, Any]]:
    """In the order of the configuration. `faults`: classes that cannot be served, and why."""
    return [await _collection(records, plan, faults.get(plan.residency_class)) for plan in records.plans.values()]


async def _collection(records: Records, plan: CollectionPlan, fault: str | None) -> dict[str, Any]:
    line: dict[str, Any] = {
        "collection": plan.name,
        "data_type": plan.residency_class,
        "conflict": plan.conflict,
        "strategy": "multi_master" if plan.primary is None else "primary",
        "mode": plan.mode,
        "regions": plan.regions,
        "here": plan.is_here,
        "resolver": None if records.merging is None else records.merging.status(plan.name),
        "fault": fault,
        "origin": None,
        "figures": None,
    }
    if plan.is_here and fault is None:
        try:
            line["origin"] = records.store.origin(plan.name)
            line["figures"] = msgspec.to_builtins(await records.store.stats(plan.name))
        except SyncError as error:
            line["fault"] = str(error)
    return line


async def quarantine(records: Records, trust: Trust | None, *, collection: str | None, limit: int) -> dict[str, Any]:
    """Raises Problem."""
    if not 1 <= limit <= MAX_HELD:
        raise Problem(400, "bad_limit", f"limit {limit}, expected a number from 1 to {MAX_HELD}")
    wanted = [plan for plan in records.plans.values() if plan.is_here] if collection is None else []
    if collection is not None:
        wanted.append(records.plan(collection))
    held: list[dict[str, Any]] = []
    for plan in wanted:
        try:
            found = await records.store.held(plan.name, limit=limit - len(held))
            why = {} if trust is None else await trust.quarantined(plan.name)
        except SyncError:
            continue  # the class's own fault, which `collections` tells
        held += [_held(plan.name, one, why) for one in found]
        if len(held) >= limit:
            break
    names = {plan.name for plan in wanted}
    distrusted = [one for one in (trust.distrusted() if trust is not None else ()) if one.collection in names]
    return {"held": held, "distrusted": [msgspec.to_builtins(one) for one in distrusted]}


def _held(collection: str, one: HeldOperation, why: Mapping[str, Found]) -> dict[str, Any]:
    operation = one.operation
    version = f"{operation.seq}@{operation.origin}"
    found = why.get(version)
    return {
        "collection": collection,
        "key": operation.key,
        "version": version,
        "kind": operation.kind,
        "reason": one.reason,
        "why": None if found is None else found.why,
        "peer": None if found is None else found.peer,
        "since": None if found is None else _written(found.at),
        "visible_at": None if one.visible_at is None else _written(one.visible_at),
        "size": operation.size,
        "written_at": _written(operation.written_ms / 1000),
    }


async def retry(records: Records, trust: Trust | None, asked: Retry) -> dict[str, Any]:
    """What has been taken up again. Raises Problem, SyncError."""
    plan = records.plan(asked.collection)
    peers: set[str] = set()
    for one in trust.distrusted() if trust is not None else ():
        if trust is not None and one.collection == plan.name and asked.origin in {None, one.origin}:
            peers.update(trust.trust_again(one.collection, one.origin))
    mended = 0 if trust is None else await trust.ask_again(plan.name, asked.origin)
    released = await records.store.release_held(plan.name, now=records.wall())
    left = len(await records.store.held(plan.name, limit=MAX_HELD))
    return {
        "collection": plan.name,
        "asked_again": sorted(peers),
        "mended": mended,
        "applied": released,
        "held": left,
    }


async def release(records: Records, trust: Trust | None, asked: Retry) -> dict[str, Any]:
    """What waits without it. Raises Problem, SyncError."""
    plan = records.plan(asked.collection)
    dot = _dot_of(asked.version or "")
    is_released = trust is not None and dot is not None and await trust.give_up(plan.name, dot)
    if not is_released:
        raise Problem(404, "not_quarantined", f"found no {asked.version} in quarantine, expected one that is listed")
    left = len(await records.store.held(plan.name, limit=MAX_HELD))
    return {"collection": plan.name, "released": asked.version, "held": left}


def _dot_of(version: str) -> Dot | None:
    seq, _, origin = version.partition("@")
    return (origin, int(seq)) if seq.isascii() and seq.isdigit() and origin and len(seq) < MAX_DIGITS else None


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="milliseconds")
