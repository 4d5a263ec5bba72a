"""All of replication for one store: a puller for each peer, answers for all of them, and who waits for confirmations.

    links ──> Puller each ──> store            peers' pulls ──> Serving ──> store
    confirm(stream, dot, wanted)               a write waits here until enough regions hold it, or its time is up
    lag(), standings() ...                     what people and metrics ask

Beside them: Comparer (are the others alike?), Snapshots (for who was away too long), Keeper (what may be forgotten, and
whom nobody waits for), Quarantine (single operations that came damaged). What the clock held back is released as time
passes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sync.core.confirmations import Confirmations
from sync.core.dots import Dot, VersionVector, store_of
from sync.core.lag import Lag
from sync.core.levels import Durability, reached, regions_needed
from sync.core.plans import CollectionPlan
from sync.core.wire import MAX_REQUEST, Compare, Fetch, Fetched, Pulled, pack, question
from sync.errors import StoreUnavailable, SyncError
from sync.replication.barrier import Passed, pass_barrier
from sync.replication.comparing import Comparer
from sync.replication.keeping import Keeper, Upkeep
from sync.replication.lending import Lending
from sync.replication.link import UNVERSIONED, Link, Versions
from sync.replication.pulling import Appetite, Puller, Standing
from sync.replication.quarantine import Quarantine
from sync.replication.serving import Serving, Transfer
from sync.replication.snapshots import Snapshots
from sync.store import Store

RELEASE_EVERY_S: Final = 0.5
WRITE_DOWN_EVERY_S: Final = 1.0
"""Once for all that was confirmed meanwhile; a thousand writes a second are confirmed hundreds of times."""

Say = Callable[[str, str, Mapping[str, object]], None]
"""(level, event, facts): the log."""


@dataclass(frozen=True)
class Confirmed:
    """What a write has reached."""

    durability: Durability
    missing: tuple[str, ...]
    """Permitted regions that have not confirmed it."""


@dataclass(frozen=True)
class LagLine:
    """How far one stream here is behind one peer."""

    peer: str
    region: str
    stream: str
    lag: Lag


@dataclass(frozen=True)
class MemberLine:
    """What another store has applied, as it said itself."""

    member: str
    heard_s: float | None
    """Since it last asked; None when it has not since the start."""
    applied: Mapping[str, VersionVector]
    """By stream."""
    lives: Mapping[str, str]
    """By stream: the origin under which it last confirmed anything."""


class Replicator:
    """One store's. `now` is monotonic seconds, `wall` Unix time; `keep(name, work)` runs what must not end."""

    def __init__(
        self,
        store: Store,
        plans: Mapping[str, CollectionPlan],
        links: Sequence[Link],
        *,
        region: str,
        appetite: Appetite,
        upkeep: Upkeep,
        on_transfer: Transfer,
        on_confirmed: Callable[[], None] = lambda: None,
        versions: Versions = UNVERSIONED,
        on_clock: Callable[[str, float], None] = lambda peer, clock: None,
        say: Say,
        keep: Callable[[str, Callable[[], Coroutine[Any, Any, None]]], object],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float],
        wall: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._store = store
        self._plans = plans
        self._region = region
        self._say = say
        self._keep = keep
        self._sleep = sleep
        self._now = now
        self._wall = wall
        self._on_confirmed = on_confirmed
        self._versions = versions
        self._on_clock = on_clock
        self._confirmations = Confirmations()
        self._waiting: dict[str, list[asyncio.Event]] = {}
        self.snapshots = Snapshots(store, say=say, sleep=sleep, now=now, wall=wall)
        self.quarantine = self._make_quarantine(links)
        self.comparer = self._make_comparer(links, upkeep, rng)
        self.keeper = self._make_keeper(upkeep)
        self._lending = Lending(store, plans, on_transfer=on_transfer)
        self._serving = Serving(
            store,
            plans,
            region=region,
            member=lambda: self.member,
            confirmations=self._confirmations,
            on_confirmed=self._wake,
            on_heard=self.keeper.heard,
            on_back=self._is_back,
            on_transfer=on_transfer,
            versions=versions,
            now=now,
            wall=wall,
        )
        self._pullers = [self._make_puller(link, appetite, rng) for link in links]

    def _make_quarantine(self, links: Sequence[Link]) -> Quarantine:
        return Quarantine(
            self._store,
            self._plans,
            links,
            on_mended=self.trust_again,
            say=self._say,
            sleep=self._sleep,
            wall=self._wall,
        )

    def _make_comparer(self, links: Sequence[Link], upkeep: Upkeep, rng: random.Random) -> Comparer:
        return Comparer(
            self._store,
            self._plans,
            links,
            interval_s=upkeep.anti_entropy_s,
            may_compare=lambda stream: not self.snapshots.is_under_way(stream),
            say=self._say,
            sleep=self._sleep,
            now=self._now,
            wall=self._wall,
            rng=random.Random(rng.getrandbits(64)),  # noqa: S311 - jitter
        )

    def _make_keeper(self, upkeep: Upkeep) -> Keeper:
        return Keeper(
            self._store,
            self._plans,
            region=self._region,
            upkeep=upkeep,
            confirmations=self._confirmations,
            compared=self.comparer.compared,
            say=self._say,
            sleep=self._sleep,
            now=self._now,
            wall=self._wall,
        )

    def _make_puller(self, link: Link, appetite: Appetite, rng: random.Random) -> Puller:
        return Puller(
            link,
            self._store,
            self._plans,
            member=lambda: self.member,
            appetite=appetite,
            on_applied=lambda _: None,
            snapshots=self.snapshots,
            quarantine=self.quarantine,
            versions=self._versions,
            say=self._say,
            sleep=self._sleep,
            now=self._now,
            wall=self._wall,
            rng=random.Random(rng.getrandbits(64)),  # noqa: S311 - jitter
            on_clock=self._on_clock,
        )

    @property
    def member(self) -> str:
        """The store's name in the mesh. Raises StoreUnavailable before it was opened."""
        streams = self._store.streams()
        return store_of(self._store.origin(streams[0])) if streams else ""

    async def start(self) -> None:
        """Remember who has confirmed what, then pull from everybody."""
        for stream in self._store.streams():
            await self._remember_confirmations(stream)
        await self.keeper.start()
        for puller in self._pullers:
            self._keep(f"pull from {puller.link.name}", puller.run)
        self._keep("write down what others confirm", self._write_down)
        self._keep("release held operations", self._release)
        self._keep("look for sound copies", self.quarantine.run)
        self._keep("take snapshots", self.snapshots.run)
        self._keep("compare with peers", self.comparer.run)
        self._keep("forget what nobody needs", self.keeper.run)

    async def _remember_confirmations(self, stream: str) -> None:
        lives: dict[str, dict[str, VersionVector]] = {}
        for life, vector in (await self._store.acknowledged(stream)).items():
            lives.setdefault(store_of(life), {})[life] = vector
        for by_life in lives.values():
            if len(by_life) == 1:
                ((life, vector),) = by_life.items()
                self._confirmations.confirmed(stream, life, vector)
                continue
            for life in by_life:  # died between taking down a new life and letting go of the old one
                await self._store.forget_member(stream, life)

    async def answer(self, frame: bytes, *, region: str) -> bytes:
        """A peer's question, as it came. Raises FrameRefused and PeerRefused, or SyncError when the store fails."""
        request = question(frame, at_most=MAX_REQUEST)
        if isinstance(request, Compare):
            return pack(await self._lending.compare(request, region=region))
        if isinstance(request, Fetch):
            fetched = await self._lending.fetch(request, region=region)
            entries = () if fetched.page is None else fetched.page.entries
            operations = (*fetched.operations, *(one for entry in entries for one in entry.operations))
            return await _packed(fetched, sum(one.size() for one in operations))
        pulled = await self._serving.pull(request, region=region)
        return await _packed(pulled, sum(operation.size() for news in pulled.news for operation in news.operations))

    async def confirm(self, stream: str, dot: Dot, wanted: Durability, *, timeout_s: float) -> Confirmed:
        """Wait until `wanted` is reached, at most so long; says what was. Never an error: the write is durable here."""
        permitted = self._plans[stream].regions
        needed = regions_needed(wanted, permitted=len(permitted))
        until = self._now() + timeout_s
        while True:
            holding = self._confirmations.regions_holding(stream, dot, own_region=self._region, permitted=permitted)
            left_s = until - self._now()
            if len(holding) >= needed or left_s <= 0:
                missing = tuple(region for region in permitted if region not in holding)
                return Confirmed(reached(len(holding), permitted=len(permitted)), missing)
            await self._next_confirmation(stream, left_s)

    async def pass_barrier(
        self, stream: str, *, timeout_s: float, own_region_only: bool = False, needs_all: bool = True
    ) -> Passed:
        """Until this store has applied what the others had when they were asked, or just those of its own region."""
        regions = [self._region] if own_region_only else self._plans[stream].regions
        links = [puller.link for puller in self._pullers if puller.link.region in regions]
        return await pass_barrier(self._store, stream, links, timeout_s=timeout_s, now=self._now, needs_all=needs_all)

    async def written(self, stream: str) -> tuple[int, Mapping[str, int]]:
        """How much this store has written, and how much of it each member has confirmed."""
        origin = self._store.origin(stream)
        own = (await self._store.heads(stream)).applied.get(origin, 0)
        members = self._confirmations.members(stream)
        return own, {member: vector.get(origin, 0) for member, vector in members.items()}

    async def _next_confirmation(self, stream: str, timeout_s: float) -> None:
        event = asyncio.Event()
        waiting = self._waiting.setdefault(stream, [])
        waiting.append(event)
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return
        finally:
            if event in waiting:
                waiting.remove(event)

    def _wake(self, stream: str) -> None:
        self._on_confirmed()
        for event in self._waiting.pop(stream, ()):
            event.set()

    # What people ask

    def lag(self) -> list[LagLine]:
        """By peer and stream."""
        now = self._now()
        return [
            LagLine(puller.link.name, puller.link.region, stream, puller.lag.lag(stream, now=now))
            for puller in self._pullers
            for stream in puller.lag.streams()
        ]

    def silences(self) -> Mapping[str, tuple[str, float | None]]:
        """By peer: its region, and seconds since it last answered; None when it never has."""
        now = self._now()
        answered = {puller.link: puller.standing.answered_at for puller in self._pullers}
        return {link.name: (link.region, None if at is None else now - at) for link, at in answered.items()}

    def members(self) -> list[MemberLine]:
        """The other stores that were ever heard, with what each has applied."""
        now, heard = self._now(), self._serving.heard
        applied: dict[str, dict[str, VersionVector]] = {}
        lives: dict[str, dict[str, str]] = {}
        for stream in self._store.streams():
            for member, vector in self._confirmations.members(stream).items():
                applied.setdefault(member, {})[stream] = vector
                life = self._confirmations.life(stream, member)
                if life is not None:
                    lives.setdefault(member, {})[stream] = life
        return [
            MemberLine(member, now - heard[member] if member in heard else None, vectors, lives.get(member, {}))
            for member, vectors in applied.items()
        ]

    def standings(self) -> Mapping[str, Standing]:
        """By peer."""
        return {puller.link.name: puller.standing for puller in self._pullers}

    def trust_again(self, stream: str, origin: str) -> list[str]:
        """Peers that are asked for this origin's operations again: a person has looked at it."""
        return [puller.link.name for puller in self._pullers if puller.trust_again(stream, origin)]

    def confirmations(self, stream: str) -> Mapping[str, Mapping[str, int]]:
        """By member (a store, `region:id`)."""
        return self._confirmations.members(stream)

    def _is_back(self, region: str) -> None:
        for puller in self._pullers:
            if puller.link.region == region:
                puller.is_back()

    async def _write_down(self) -> None:
        """For the time after a restart: whoever waits for a confirmation has been woken by it already."""
        while True:
            await self._serving.has_unwritten.wait()
            await self._sleep(WRITE_DOWN_EVERY_S)
            try:
                await self._serving.write_down()
            except SyncError as error:
                self._say("warning", "what others confirmed is not written down", {"why": str(error)})

    async def _release(self) -> None:
        troubles: dict[str, str] = {}
        while True:
            await self._sleep(RELEASE_EVERY_S)
            for stream in self._store.streams():
                try:
                    released = await self._store.release_held(stream, now=self._wall())
                except StoreUnavailable as error:
                    if troubles.get(stream) != str(error):
                        facts = {"stream": stream, "why": str(error)}
                        self._say("warning", "held operations stay invisible", facts)
                    troubles[stream] = str(error)
                    continue
                troubles.pop(stream, None)
                if released:
                    self._say("info", "held operations became visible", {"stream": stream, "operations": released})


INLINE_PACK: Final = 256 << 10
"""Bytes above which an answer is compressed off the loop."""


async def _packed(message: Pulled | Fetched, size: int) -> bytes:
    return await asyncio.to_thread(pack, message) if size > INLINE_PACK else pack(message)
