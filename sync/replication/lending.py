"""What does a peer get that compares, or takes a snapshot? Digests and pages of the streams that its region may hold.

    Compare ──> digests of the asked ranges, all from one moment, with what was applied then
    Fetch   ──> base: where the log goes on; remembered: operation ids; page: key states with their operations;
                operations: single ones, for whoever got them damaged; losses: conflict records with their values

A region that may not hold a stream learns no more than from a Pull: that it is refused. Everything is bounded by what
was asked for and by bounds of our own; nothing is kept between questions, so that whoever takes a snapshot may stop, be
restarted, and go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from sync.core.digests import KeyRange
from sync.core.dots import Dot, region_of, store_of
from sync.core.loss_log import KnownLoss
from sync.core.operation import Sealed
from sync.core.plans import CollectionPlan
from sync.core.wire import PROTOCOL, Compare, Compared, Fetch, Fetched
from sync.replication.link import PeerRefused
from sync.replication.serving import Transfer
from sync.store import Store

MAX_RANGES: Final = 1024
MAX_KEYS: Final = 5000
MAX_OPERATIONS: Final = 16
MAX_LOSSES: Final = 200
"""Of one answer: each costs a question to the log."""
MAX_BYTES: Final = 16 << 20
"""Of one page; one key comes even if it is larger."""


class Lending:
    """One store's answers."""

    def __init__(self, store: Store, plans: Mapping[str, CollectionPlan], *, on_transfer: Transfer) -> None:
        self._store = store
        self.plans = plans
        self._on_transfer = on_transfer

    async def compare(self, request: Compare, *, region: str) -> Compared:
        """Raises PeerRefused."""
        if not self._may(request.stream, request.life, region):
            return Compared(PROTOCOL, "", {}, {}, (), refused="not_permitted")
        if len(request.ranges) > MAX_RANGES:
            raise PeerRefused(f"{len(request.ranges)} ranges, expected at most {MAX_RANGES}")
        found = await self._store.digests(request.stream, request.ranges)
        life = self._store.origin(request.stream)
        return Compared(PROTOCOL, life, found.applied, found.horizon, found.digests)

    async def fetch(self, request: Fetch, *, region: str) -> Fetched:
        """Raises PeerRefused."""
        if not self._may(request.stream, request.life, region):
            return Fetched(PROTOCOL, "", refused="not_permitted")
        stream, limit = request.stream, min(MAX_KEYS, max(1, request.limit))
        answer = Fetched(PROTOCOL, self._store.origin(stream))
        if request.what == "base":
            (everything,) = (await self._store.digests(stream, [KeyRange()])).digests
            return msgspec.structs.replace(answer, base=await self._store.base(stream), keys=everything.keys)
        if request.what == "remembered":
            done = await self._store.remembered(stream, request.after, limit=limit)
            return msgspec.structs.replace(answer, remembered=tuple(done))
        if request.what == "operations":
            found = await self._store.logged(stream, request.dots[:MAX_OPERATIONS])
            self._told(stream, region, found)
            return msgspec.structs.replace(answer, operations=tuple(found))
        max_bytes = min(MAX_BYTES, max(1, request.max_bytes))
        if request.what == "losses":
            losses = await self._losses(stream, request.loss, limit=limit, max_bytes=max_bytes)
            self._told(stream, region, [one.operation for one in losses if one.operation is not None])
            return msgspec.structs.replace(answer, losses=tuple(losses))
        page = await self._store.page(stream, request.within, limit=limit, max_bytes=max_bytes)
        self._told(stream, region, [sealed for entry in page.entries for sealed in entry.operations])
        return msgspec.structs.replace(answer, page=page)

    async def _losses(self, stream: str, after: Dot | None, *, limit: int, max_bytes: int) -> list[KnownLoss]:
        """In the order of the losers' dots; at least one, if any."""
        found: list[KnownLoss] = []
        for record in await self._store.conflict_log(stream, after=after, limit=min(limit, MAX_LOSSES)):
            logged = await self._store.logged(stream, [record.loser.dot])
            operation = logged[0] if logged else None
            max_bytes -= 0 if operation is None else operation.size()
            if found and max_bytes < 0:
                break
            found.append(KnownLoss(record.key, record.loser, record.winner, record.detected_ms, operation))
        return found

    def _told(self, stream: str, region: str, operations: Sequence[Sealed]) -> None:
        if operations:
            self._on_transfer(stream, region, len(operations), sum(sealed.size() for sealed in operations))

    def _may(self, stream: str, life: str, region: str) -> bool:
        if region_of(store_of(life)) != region:
            raise PeerRefused(f"a store in the life {life} speaking for region {region}, expected one of its own")
        plan = self.plans.get(stream)
        return plan is not None and plan.is_here and region in plan.regions
