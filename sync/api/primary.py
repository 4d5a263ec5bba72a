"""Writes to collections of strategy `primary`: taken here under the lease, or carried to the region that holds it.

    write ──standing──> here       handled, and answered only if the lease still holds then
                   ├──> elsewhere  carried there once: what was carried already is never carried on
                   └──> not now    503 with a reason, and Retry-After

The same operation id travels along, so a client or gateway that tries again, here or there, writes once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from sync.api.messages import Answer, Request
from sync.api.problems import RETRY_AFTER_S, Problem
from sync.core.plans import CollectionPlan
from sync.core.primacy import Elsewhere, Here, Primacy

CARRIED_FROM: Final = "Tidegate-Carried-From"
"""The region whose node carries a write here."""
MAX_CARRIED: Final = 6 << 20
"""Of a body: the peer channel takes 8 MiB."""
_HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "te", "upgrade"}
)


class Carried(msgspec.Struct, frozen=True, array_like=True):
    """A request on its way to the primary."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """Its answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class PrimaryUnreachable(Exception):
    """No node of the region took it; whether one has written it is not known."""


class Carry(Protocol):
    async def __call__(self, region: str, asked: Carried) -> Answered:
        """Raises PrimaryUnreachable."""
        ...


class Confirmed(Protocol):
    async def __call__(self, stream: str) -> tuple[int, Mapping[str, int]]:
        """The own origin's last sequence, and how much of it each member has confirmed."""
        ...


class PrimaryGate:
    """One data server's. `boot` is the machine's boot-time clock, `now` monotonic seconds."""

    def __init__(
        self,
        primacy: Primacy,
        *,
        boot: Callable[[], float],
        now: Callable[[], float],
        carry: Carry,
        confirmed: Confirmed,
    ) -> None:
        self.primacy = primacy
        self._boot = boot
        self._now = now
        self._carry = carry
        self._confirmed = confirmed

    async def standing(self, plan: CollectionPlan, headers: Mapping[str, str]) -> Here | Elsewhere:
        """Where a write goes. Raises Problem."""
        configured = plan.primary or ""
        carried_from = headers.get(CARRIED_FROM.lower())
        if carried_from is not None and carried_from not in plan.regions:
            raise Problem(403, "region_may_not_hold", f"region {carried_from[:100]} may not hold this collection")
        found = self.primacy.standing(plan.name, configured, plan.regions, boot=self._boot())
        if isinstance(found, Elsewhere):
            if carried_from is not None:
                raise Problem(503, "not_primary", "this node takes no writes to it now", retry_after_s=RETRY_AFTER_S)
            return found
        if not isinstance(found, Here):
            raise Problem(503, found.reason, found.detail, retry_after_s=RETRY_AFTER_S)
        written, confirmed = await self._confirmed(plan.name)
        lacks = self.primacy.lacks_successor(plan.name, configured, plan.regions, written, confirmed, now=self._now())
        if lacks is not None:
            raise Problem(503, "no_successor_confirms", lacks, retry_after_s=RETRY_AFTER_S)
        return found

    def check(self, plan: CollectionPlan, here: Here) -> None:
        """Right before an answer. Raises Problem when the lease has ended meanwhile."""
        if not self.primacy.holds(plan.primary or "", here.epoch, boot=self._boot()):
            detail = "the lease to write ended before the answer; another region may take writes now"
            raise Problem(503, "write_lease_ended", detail, retry_after_s=RETRY_AFTER_S)

    async def write(
        self,
        plan: CollectionPlan,
        request: Request,
        handle: Callable[[], Awaitable[Answer]],
    ) -> Answer:
        """Raises Problem."""
        found = await self.standing(plan, request.headers)
        if isinstance(found, Here):
            response = await handle()
            self.check(plan, found)
            return response
        if len(request.body) > MAX_CARRIED:
            detail = f"a body of {len(request.body)} bytes for another region, expected at most {MAX_CARRIED}"
            raise Problem(413, "body_too_large", detail)
        answered = await self.carry(found.region, request.method, request.target, request.headers, request.body)
        return Answer(answered.status, dict(answered.headers), answered.body)

    async def carry(self, region: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """Raises Problem."""
        kept = tuple((str(name), value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP)
        try:
            return await self._carry(region, Carried(method, path, kept, body))
        except PrimaryUnreachable as error:
            detail = f"region {region} takes the writes and does not answer ({error}); send it again under the same id"
            raise Problem(503, "primary_unreachable", detail, retry_after_s=RETRY_AFTER_S) from error

    async def carry_batch(
        self, region: str, headers: Mapping[str, str], operations: Sequence[msgspec.Raw]
    ) -> list[msgspec.Raw]:
        """The results, in order. Raises Problem."""
        results: list[msgspec.Raw] = []
        for part in _parts(operations):
            body = msgspec.json.encode({"operations": part})
            answered = await self.carry(region, "POST", "/data/v1/batch", headers, body)
            if answered.status != 200:
                raise Problem(503, "primary_refused", f"region {region} answered a batch with {answered.status}")
            results += msgspec.json.decode(answered.body, type=dict[str, list[msgspec.Raw]])["results"]
        return results


def _parts(operations: Sequence[msgspec.Raw]) -> list[list[msgspec.Raw]]:
    """As many as fit the peer channel together."""
    parts: list[list[msgspec.Raw]] = [[]]
    size = 0
    for operation in operations:
        length = len(bytes(operation))
        if parts[-1] and size + length > MAX_CARRIED // 2:
            parts.append([])
            size = 0
        parts[-1].append(operation)
        size += length
    return parts
