"""What does a peer get when it asks? What it lacks of the streams that its region may hold, and nothing of the others.

    Pull ──> confirmations ──> streams in the asked order, until the asked bytes are used up ──> Pulled
                └─ on disk soon      └─ nothing there: wait for news, at most as long as was asked

A region that may not hold a stream gets the same answer as for one that does not exist: not even its heads.

News is what was written here. What a third store wrote, the asking one gets from that store itself, as a rule, while it
waits here: so it is first told how far we are, soon, and is given what it still lacks when it asks again. Otherwise
each operation would go round the mesh once more for every pair of stores. Its own operations come back to it only where
it does not know of them when it asks: then it has lost memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from sync.core.confirmations import Confirmations
from sync.core.dots import MAX_SEQUENCE, VersionVector, region_of, store_of
from sync.core.plans import CollectionPlan
from sync.core.wire import PROTOCOL, Pull, Pulled, Refusal, StreamHave, StreamNews
from sync.errors import CursorExpired, SyncError
from sync.replication.link import UNVERSIONED, PeerRefused, Versions
from sync.store import Store

MAX_WAIT_S: Final = 20.0
MAX_OPERATIONS: Final = 10_000
MAX_BYTES: Final = 16 << 20
"""Of one answer, whatever was asked for."""
SILENT_S: Final = 3.0
"""A member that asks after so long a silence is back; as long as it waits for news, it asks every second."""
RELAY_S: Final = 0.1
"""How long a member waits for news before it is told of what third stores have written; not below `QUIET_S` of
pulling.py, for an answer without operations that comes at once looks like a broken peer's."""

Transfer = Callable[[str, str, int, int], None]
"""(stream, peer region, operations, bytes): told for each stream of each answer that carries something."""


class Serving:
    """One store's answers. `now` is monotonic seconds, `wall` Unix time."""

    def __init__(
        self,
        store: Store,
        plans: Mapping[str, CollectionPlan],
        *,
        region: str,
        member: Callable[[], str],
        confirmations: Confirmations,
        on_confirmed: Callable[[str], None],
        on_heard: Callable[[str, str], None] = lambda stream, member: None,
        on_back: Callable[[str], None] = lambda region: None,
        on_transfer: Transfer,
        versions: Versions = UNVERSIONED,
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        """`on_confirmed` is told the stream in which a member has just confirmed more, `on_heard` (stream, member) each
        time that a member asks, `on_back` the region of one that asks for the first time or after a silence."""
        self._store = store
        self.plans = plans
        self.heard: dict[str, float] = {}
        """By member: when it last asked."""
        self.has_unwritten = asyncio.Event()
        """Some confirmations are not on disk yet: `write_down` is to be called, soon."""
        self._unwritten: dict[tuple[str, str], None] = {}
        """(stream, member), in the order in which they confirmed something."""
        self._told: dict[tuple[str, str], VersionVector] = {}
        """By member and stream: our heads when it was last answered."""
        self._region = region
        self._member = member
        self._confirmations = confirmations
        self._on_confirmed = on_confirmed
        self._on_heard = on_heard
        self._on_back = on_back
        self._on_transfer = on_transfer
        self._versions = versions
        self._now = now
        self._wall = wall

    async def pull(self, request: Pull, *, region: str) -> Pulled:
        """Answer a peer that stands in `region`, as its certificate or signature proves. Raises PeerRefused."""
        if region_of(request.member) != region:
            raise PeerRefused(f"member {request.member} speaking for region {region}, expected one of its own stores")
        if request.member == self._member():
            # Another node of this very store, which several share: it has what this one has, and confirms nothing.
            return Pulled(PROTOCOL, request.member, self._wall(), ())
        before, self.heard[request.member] = self.heard.get(request.member), self._now()
        if before is None or self._now() - before > SILENT_S:
            self._on_back(region)
        asked, refused = self._permitted(request, region)
        await self._take_confirmations(request.member, asked)
        began = self._now()
        is_news: Callable[[StreamHave, str], bool] = self._is_news_at_once
        until = began + min(MAX_WAIT_S, max(0.0, request.wait_s))
        while True:
            positions = {have.stream: (await self._store.cursor(have.stream)).position for have in asked}
            news, expired = await self._news(request, asked, region, is_news)
            now = self._now()
            waits_until = min(until, began + RELAY_S) if _is_behind(asked, news) else until
            if any(one.operations for one in news) or expired or now >= waits_until or not asked:
                self._told.update({(request.member, one.stream): one.heads for one in news})
                return Pulled(PROTOCOL, self._member(), self._wall(), tuple(news), (*refused, *expired))
            is_news = self._is_news_later
            await self._store.wait_for_change(positions, timeout_s=waits_until - now)

    def _is_news_at_once(self, have: StreamHave, origin: str) -> bool:
        """Whether a member that asks is given what it lacks of `origin`."""
        told = self._told.get((store_of(have.life), have.stream))
        if told is None or store_of(origin) in {store_of(have.life), self._member()}:
            return True
        return have.received.get(origin, 0) < told.get(origin, 0)

    def _is_news_later(self, _: StreamHave, origin: str) -> bool:
        """Of what comes while it waits."""
        return store_of(origin) == self._member()

    def _permitted(self, request: Pull, region: str) -> tuple[list[StreamHave], list[tuple[str, Refusal]]]:
        asked: list[StreamHave] = []
        refused: list[tuple[str, Refusal]] = []
        for have in request.streams:
            plan = self.plans.get(have.stream)
            if plan is None or not plan.is_here or region not in plan.regions:
                refused.append((have.stream, "not_permitted"))
            else:
                asked.append(have)
        return asked, refused

    async def _take_confirmations(self, member: str, asked: list[StreamHave]) -> None:
        for have in asked:
            if store_of(have.life) != member:
                raise PeerRefused(f"member {member} in the life {have.life}, expected one of its own")
            self._on_heard(have.stream, member)
            self._versions.heard(member, have.stream, have.resolver)
            before = self._confirmations.life(have.stream, member)
            if self._confirmations.confirmed(have.stream, have.life, have.applied):
                if before in {None, have.life}:
                    self._unwritten[have.stream, member] = None
                    self.has_unwritten.set()
                else:
                    await self._store.acknowledge(have.stream, have.life, have.applied)
                    await self._store.forget_member(have.stream, before)
                self._on_confirmed(have.stream)

    async def write_down(self) -> None:
        """On disk, what members have confirmed. After a crash they confirm again what was not. Raises SyncError."""
        self.has_unwritten.clear()
        for stream, member in [*self._unwritten]:
            del self._unwritten[stream, member]  # at once: what comes while this is written is written the next time
            life, vector = self._confirmations.life(stream, member), self._confirmations.members(stream).get(member)
            if life is None or vector is None:
                continue  # evicted meanwhile
            try:
                await self._store.acknowledge(stream, life, vector)
            except SyncError:
                self._unwritten[stream, member] = None
                self.has_unwritten.set()
                raise

    async def _news(
        self, request: Pull, asked: list[StreamHave], region: str, is_news: Callable[[StreamHave, str], bool]
    ) -> tuple[list[StreamNews], list[tuple[str, Refusal]]]:
        left = min(MAX_BYTES, max(1, request.max_bytes))
        most = min(MAX_OPERATIONS, max(1, request.max_operations))
        news: list[StreamNews] = []
        expired: list[tuple[str, Refusal]] = []
        for have in asked:
            heads = (await self._store.heads(have.stream)).received
            operations = []
            received = have.received | {origin: MAX_SEQUENCE for origin in heads if not is_news(have, origin)}
            if left > 0 and any(received.get(origin, 0) < seq for origin, seq in heads.items()):
                try:
                    operations = await self._store.operations_after(
                        have.stream, received, max_operations=most, max_bytes=left
                    )
                except CursorExpired:
                    expired.append((have.stream, "refetch"))
                    continue
            size = sum(operation.size() for operation in operations)
            left -= size
            if operations:
                self._on_transfer(have.stream, region, len(operations), size)
            news.append(StreamNews(have.stream, tuple(operations), heads, self._versions.version(have.stream)))
        return news, expired


def _is_behind(asked: list[StreamHave], news: list[StreamNews]) -> bool:
    """Whether there is anything that a member does not know of, but what it has written itself."""
    heads = {one.stream: one.heads for one in news}
    return any(
        seq > have.received.get(origin, 0) and store_of(origin) != store_of(have.life)
        for have in asked
        for origin, seq in heads.get(have.stream, {}).items()
    )
