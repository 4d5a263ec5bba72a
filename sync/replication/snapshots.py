"""How does a store catch up that the logs no longer reach back to? It takes a snapshot of a peer, stream by stream.

    refetch, twice over, with nothing else arriving     the log is really gone, not just behind another peer
    base          where the log will go on: before anything else is read
    remembered    operation ids, so that what was done is not done again
    pages         key states in key order, absorbed one by one, durably; the place is noted after each
    losses        conflict records with their values, so many: what has lost to what is known here too
    adopt         all up to the base counts as applied; from there the log is pulled as ever

Writes go on meanwhile, there and here: a page may hold more than the base, and the log brings it again. Memory is a
page. A snapshot that is interrupted, here or there, goes on where it was, as long as the same life of the peer answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from sync.core.absorbing import Page, TooEarly
from sync.core.digests import KeyRange
from sync.core.dots import Dot, VersionVector, joined
from sync.core.op_ids import OpId
from sync.core.operation import Malformed
from sync.core.wire import FrameRefused
from sync.errors import SyncError
from sync.replication.asking import Asking
from sync.replication.link import Link, PeerRefused
from sync.store import Base, Store

GRACE_S: Final = 3.0
"""A stream that is refused by one peer and moves on through another needs no snapshot."""
PAGE_KEYS: Final = 500
PAGE_BYTES: Final = 1 << 20
REMEMBERED: Final = 5000
AGAIN_S: Final = 2.0
"""After a snapshot that could not go on."""
NOTE: Final = "snapshot"
MOST_LOSSES: Final = 10_000
LOSSES_BYTES: Final = 64 << 20
"""Of the conflict log, which is for people; and a store takes no more of it than it has room for."""

Say = Callable[[str, str, Mapping[str, object]], None]


class Place(msgspec.Struct, array_like=True):
    """How far a snapshot has come; kept with the stream."""

    life: str
    """Of the peer."""
    base: Base
    horizon: VersionVector
    after: str = ""
    """The last key that was absorbed."""
    has_ids: bool = False
    keys: int = 0
    """Absorbed."""
    of_keys: int = 0
    """That lived there when it began."""


@dataclass(frozen=True)
class Progress:
    """A snapshot under way, for people."""

    stream: str
    peer: str
    keys: int
    of_keys: int
    seconds: float


@dataclass
class _Wanted:
    link: Link
    since: float
    received: VersionVector
    is_ordered: bool = False
    """By a person: not because a log has gone."""


class Snapshots:
    """One store's. One stream at a time."""

    def __init__(
        self,
        store: Store,
        *,
        say: Say,
        sleep: Callable[[float], Awaitable[None]],
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._store = store
        self._say = say
        self._sleep = sleep
        self._now = now
        self._wall = wall
        self._wanted: dict[str, _Wanted] = {}
        self._wake = asyncio.Event()
        self._taking: str | None = None
        self.progress: Progress | None = None
        self.taken: dict[str, int] = {}
        """Snapshots completed, by stream."""

    def is_under_way(self, stream: str) -> bool:
        """Not while one is only wanted: the peer that refused may be gone for good, and the others are there."""
        return stream == self._taking

    async def refused(self, stream: str, link: Link) -> None:
        """A peer said that its log does not reach back far enough."""
        received = dict((await self._store.heads(stream)).received)
        received.pop(self._store.origin(stream), None)  # clients write here all the time
        wanted = self._wanted.get(stream)
        if wanted is None or (wanted.received != received and not wanted.is_ordered):
            self._wanted[stream] = _Wanted(link, self._now(), received)
        self._wake.set()

    def order(self, stream: str, link: Link) -> None:
        """A person wants one, needed or not."""
        self._wanted[stream] = _Wanted(link, float("-inf"), {}, is_ordered=True)
        self._wake.set()

    def served(self, stream: str, link: Link) -> None:
        """The peer that had refused has answered from its log."""
        wanted = self._wanted.get(stream)
        if wanted is not None and wanted.link is link and not wanted.is_ordered:
            del self._wanted[stream]

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for stream, wanted in list(self._wanted.items()):
                if self._now() - wanted.since >= GRACE_S:
                    await self._try(stream, wanted.link)

    async def _try(self, stream: str, link: Link) -> None:
        facts = {"peer": link.name, "stream": stream}
        self._taking = stream
        try:
            keys = await self.take(stream, link)
        except (SyncError, FrameRefused, Malformed, TooEarly) as error:
            self._say("warning", "a snapshot waits", {**facts, "why": str(error)})
            await self._sleep(AGAIN_S)
            return
        finally:
            self.progress = self._taking = None
            self._wanted.pop(stream, None)  # if it is still needed, the next pull says so
        self._say("info", "a snapshot is taken; the log goes on from it", {**facts, "keys": keys})

    async def take(self, stream: str, link: Link) -> int:
        """All of it; how many keys it had. Raises SyncError, FrameRefused, Malformed or TooEarly."""
        asking = Asking(link, stream, life=self._store.origin(stream))
        place = await self._begin(asking)
        began = self._now()
        self._show(asking, place, began)
        if not place.has_ids:
            await self._take_ids(asking)
            place.has_ids = True
            await self._keep(stream, place)
        is_done = False
        while not is_done:
            within = KeyRange(place.after)
            answer = await asking.fetch("page", within=within, limit=PAGE_KEYS, max_bytes=PAGE_BYTES)
            if answer.page is None or answer.life != place.life:
                raise FrameRefused("a page of another life, expected the one that the snapshot began with")
            is_done = await self._absorb(stream, place, answer.page, within)
            self._show(asking, place, began)
        await self._take_losses(asking)
        await self._store.adopt(stream, place.base, horizon=place.horizon)
        await self._store.note(stream, NOTE, None)
        self.taken[stream] = self.taken.get(stream, 0) + 1
        return place.keys

    async def _begin(self, asking: Asking) -> Place:
        """Where it goes on, or begins."""
        stream = asking.stream
        answer = await asking.fetch("base")
        kept = (await self._store.notes(stream)).get(NOTE)
        place = None if kept is None else msgspec.msgpack.decode(kept, type=Place)
        if place is None or place.life != answer.life:
            place = Place(answer.life, answer.base, {}, of_keys=answer.keys)
            await self._keep(stream, place)
        own = self._store.origin(stream)
        remembered = (await self._store.heads(stream)).received.get(own, 0)
        known = place.base.get(own, (0, b""))[0]
        if known > remembered:
            reason = f"{asking.link.name} holds operation {known} of this store, which remembers {remembered}"
            fresh = await self._store.renew_incarnation(stream, reason=reason)
            self._say("error", "this store has lost memory", {"stream": stream, "now": fresh, "why": reason})
        facts = {"peer": asking.link.name, "stream": stream, "keys": place.of_keys, "done": place.keys}
        self._say("warning", "the log no longer reaches back: a snapshot is taken", facts)
        return place

    async def _take_ids(self, asking: Asking) -> None:
        after: OpId | None = None
        while True:
            done = (await asking.fetch("remembered", after=after, limit=REMEMBERED)).remembered
            if not done:
                return
            await self._store.remember(asking.stream, done, now=self._wall())
            after = done[-1][0]

    async def _take_losses(self, asking: Asking) -> None:
        """Of a peer of an earlier version none: it does not know the question."""
        after: Dot | None = None
        left, room = MOST_LOSSES, LOSSES_BYTES
        while left > 0 and room > 0:
            try:
                answer = await asking.fetch("losses", loss=after, limit=left, max_bytes=PAGE_BYTES)
            except PeerRefused as refused:
                facts = {"peer": asking.link.name, "stream": asking.stream, "why": str(refused)}
                self._say("warning", "a snapshot comes without the conflict log", facts)
                return
            if not answer.losses:
                return
            await self._store.take_losses(asking.stream, answer.losses, now=self._wall())
            after = answer.losses[-1].loser.dot
            left -= len(answer.losses)
            room -= sum(0 if one.operation is None else one.operation.size() for one in answer.losses)
        taken = {"peer": asking.link.name, "stream": asking.stream, "losses": MOST_LOSSES - left}
        self._say("info", "the conflict log of the peer is longer than what a snapshot takes", taken)

    async def _absorb(self, stream: str, place: Place, page: Page, within: KeyRange) -> bool:
        """One page; whether it was the last."""
        absorbed = await self._store.absorb(stream, page, within, purpose="snapshot", now=self._wall())
        if absorbed.damaged:
            facts = {"life": place.life, "stream": stream, "keys": absorbed.damaged}
            self._say("error", "a snapshot comes without keys whose values are damaged at the peer", facts)
        place.horizon = joined(place.horizon, page.horizon)
        place.keys += len(page.entries)
        if page.next is None:
            return True
        place.after = page.next
        await self._keep(stream, place)
        return False

    async def _keep(self, stream: str, place: Place) -> None:
        await self._store.note(stream, NOTE, msgspec.msgpack.encode(place))

    def _show(self, asking: Asking, place: Place, began: float) -> None:
        seconds = self._now() - began
        self.progress = Progress(asking.stream, asking.link.name, place.keys, place.of_keys, seconds)
