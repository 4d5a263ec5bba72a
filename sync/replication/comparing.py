"""Do the others hold what this store holds? Asked again and again, range by range, and repaired where it is not so.

    one question: the digest of all keys      equal: nothing more to do
    unequal: cut into pieces, ask again       until few keys are left in a piece
    their states of those keys                judged by sync/core/absorbing.py: under way, repaired, or theirs to repair

Each store repairs only itself. A repair is a bug or a rotten disk made visible: it is logged as an error and counted.
What is under way (applied by one and not yet by the other) is left to the log, so streams are compared while they move.
A round in which nothing was wrong proves that both hold the same up to what both had applied when it began: below that,
deletes may be forgotten (sync/core/retention.py).
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sync.core.absorbing import TooEarly
from sync.core.digests import Digest, KeyRange
from sync.core.dots import VersionVector, includes, joined, meet, store_of
from sync.core.operation import Malformed
from sync.core.plans import CollectionPlan
from sync.core.wire import FrameRefused
from sync.errors import SyncError
from sync.replication.asking import Asking
from sync.replication.link import Link
from sync.store import Store

FEW_KEYS: Final = 64
"""Of a range whose states are fetched."""
PIECES: Final = 16
"""That a range is cut into: four questions find one key among four million."""
MAX_PAGES: Final = 256
"""Fetched in one round: more differs than a comparison is for; the next round goes on."""
PAGE_BYTES: Final = 1 << 20

Say = Callable[[str, str, Mapping[str, object]], None]


@dataclass
class Findings:
    """Of one stream, since the start."""

    rounds: int = 0
    clean_rounds: int = 0
    repaired: int = 0
    """Keys that this store held wrong: a bug, or a disk that rots."""
    suspected: int = 0
    """Keys that another store held wrong, as seen from here."""
    compared_at: float | None = None
    """Monotonic: when a round with any peer was last clean."""
    last_repaired: str = ""
    """The latest key that was repaired."""


@dataclass
class _Round:
    """One comparison under way."""

    asking: Asking
    applied: VersionVector
    pending: list[KeyRange] = field(default_factory=list)
    pages: int = 0
    repaired: list[str] = field(default_factory=list)
    suspected: int = 0
    damaged: int = 0
    is_whole: bool = True


class Comparer:
    """One store's. `compared` says, by stream and member, up to where both were found to hold the same."""

    def __init__(
        self,
        store: Store,
        plans: Mapping[str, CollectionPlan],
        links: Sequence[Link],
        *,
        interval_s: float,
        may_compare: Callable[[str], bool],
        say: Say,
        sleep: Callable[[float], Awaitable[None]],
        now: Callable[[], float],
        wall: Callable[[], float],
        rng: random.Random,
    ) -> None:
        """`may_compare`: not while the stream takes a snapshot."""
        self._store = store
        self._plans = plans
        self._links = links
        self._interval_s = interval_s
        self._may_compare = may_compare
        self._say = say
        self._sleep = sleep
        self._now = now
        self._wall = wall
        self._rng = rng
        self.findings: dict[str, Findings] = {}
        self.compared: dict[str, dict[str, VersionVector]] = {}
        self._lives: dict[tuple[str, str], str] = {}

    async def run(self) -> None:
        """For ever. Intervals vary by a tenth, so that stores do not all ask at once."""
        while True:
            await self._sleep(self._interval_s * self._rng.uniform(0.9, 1.1))
            for stream in self._store.streams():
                for link in self._links:
                    if link.region in self._plans[stream].regions and self._may_compare(stream):
                        await self._try(stream, link)

    async def _try(self, stream: str, link: Link) -> None:
        try:
            await self.compare(stream, link)
        except (Malformed, FrameRefused) as error:
            self._say("error", "a peer's comparison cannot be read", {"peer": link.name, "why": str(error)})
        except (SyncError, TooEarly):
            return  # not now; a peer that cannot be reached is told about by the puller

    async def compare(self, stream: str, link: Link) -> bool:
        """One round with one peer; whether it was clean. Raises SyncError, FrameRefused, Malformed or TooEarly."""
        asking = Asking(link, stream, life=self._store.origin(stream))
        mine = await self._store.digests(stream, [KeyRange()])
        theirs = await asking.compare([KeyRange()])
        if not (includes(theirs.applied, mine.horizon) and includes(mine.applied, theirs.horizon)):
            return False  # one of the two needs a snapshot, and will take it
        one = _Round(asking, meet([mine.applied, theirs.applied]))
        if mine.digests != theirs.digests:
            one.pending.append(KeyRange())
        while one.pending:
            if one.pages >= MAX_PAGES:
                one.is_whole = False
                break
            await self._narrow(one, one.pending.pop())
        return self._note(stream, theirs.life, one)

    async def _narrow(self, one: _Round, within: KeyRange) -> None:
        """Cut a range that differs into pieces, and look into those that differ."""
        stream = one.asking.stream
        bounds = await self._store.split(stream, within, pieces=PIECES)
        ranges = [
            KeyRange(after, upto) for after, upto in zip([within.after, *bounds], [*bounds, within.upto], strict=True)
        ]
        mine = await self._store.digests(stream, ranges)
        theirs = await one.asking.compare(ranges)
        for piece, here, there in zip(ranges, mine.digests, theirs.digests, strict=True):
            if here == there:
                continue
            if _are_few(here, there) or not bounds:
                await self._look_into(one, piece)
            else:
                one.pending.append(piece)

    async def _look_into(self, one: _Round, within: KeyRange) -> None:
        left: KeyRange | None = within
        while left is not None:
            if one.pages >= MAX_PAGES:
                one.is_whole = False
                return
            one.pages += 1
            answer = await one.asking.fetch("page", within=left, limit=FEW_KEYS * 4, max_bytes=PAGE_BYTES)
            if answer.page is None:
                raise FrameRefused("no page, expected one")
            absorbed = await self._store.absorb(
                one.asking.stream, answer.page, left, purpose="comparison", now=self._wall()
            )
            one.repaired += absorbed.repaired
            one.suspected += absorbed.suspected
            one.damaged += absorbed.damaged
            left = None if answer.page.next is None else KeyRange(answer.page.next, within.upto)

    def _note(self, stream: str, life: str, one: _Round) -> bool:
        findings = self.findings.setdefault(stream, Findings())
        findings.rounds += 1
        findings.repaired += len(one.repaired)
        findings.suspected += one.suspected
        facts = {"peer": one.asking.link.name, "stream": stream}
        if one.repaired:
            findings.last_repaired = one.repaired[-1]
            found = {**facts, "keys": len(one.repaired)}
            self._say("error", "this store held keys wrong, and has repaired them from a peer", found)
        if one.damaged:
            found = {**facts, "keys": one.damaged}
            self._say("error", "a peer holds damaged values; what this store holds of their keys stays", found)
        if one.suspected:
            found = {**facts, "keys": one.suspected}
            self._say("warning", "a peer holds keys wrong; it repairs them when it compares", found)
        if one.repaired or one.suspected or one.damaged or not one.is_whole:
            return False
        findings.clean_rounds += 1
        findings.compared_at = self._now()
        member, by_member = store_of(life), self.compared.setdefault(stream, {})
        is_same_life = self._lives.get((stream, member)) == life
        self._lives[stream, member] = life
        by_member[member] = joined(by_member[member], one.applied) if is_same_life else one.applied
        return True


def _are_few(here: Digest, there: Digest) -> bool:
    return max(here.keys, there.keys) <= FEW_KEYS
