"""How does one peer's news get here? Asked again and again, applied durably, confirmed with the next question.

have ──> Pull ──> frame ──> Pulled ──> receive, stream by stream ──> have, again
           │  full answer: the next Pull is on its way while this one is applied, and asks for twice as much
           └─ no news: the peer waits for some, at most `WAIT_S`

What is wrong with an answer is found in intake.py: damage is asked for again, then quarantined or held against its
origin. A peer whose log does not reach back so far says so: a snapshot, unless another peer's does (snapshots.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from sync.core.dots import MAX_SEQUENCE, VersionVector
from sync.core.lag import LagBook
from sync.core.operation import Malformed, dot_of
from sync.core.plans import CollectionPlan
from sync.core.wire import MAX_ANSWER, PROTOCOL, FrameRefused, Pull, Pulled, StreamHave, StreamNews, pack, unpack
from sync.errors import StoreUnavailable
from sync.replication.intake import Intake
from sync.replication.link import UNVERSIONED, Link, PeerRefused, PeerUnavailable, Versions
from sync.replication.quarantine import Quarantine
from sync.replication.snapshots import Snapshots
from sync.replication.waking import slept_or_woken
from sync.store import Store

WAIT_S: Final = 1.0
"""A pull without news; the next one carries confirmations and says that the link is alive."""
TIMEOUT_S: Final = 10.0
"""For an answer, beyond the wait: a slow link still brings the asked bytes."""
QUIET_S: Final = 0.1
"""A peer whose answers come at once and bring nothing (it refuses until a snapshot is taken, or is broken) is not asked
faster than this at first, and twice as slowly each time, down to once in `WAIT_S`."""
BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MAX_S: Final = 5.0
FULL_SHARE: Final = 0.5
"""An answer this full is followed by another at once, so that is asked for before this one is applied."""


@dataclass
class Standing:
    """What people ask about one peer."""

    is_reached: bool = False
    problem: str = ""
    """Why it is not, or what it sent wrong last."""
    rounds: int = 0
    operations: int = 0
    """Applied or held, that came from it."""
    bytes: int = 0
    """Of frames."""
    answered_at: float | None = None
    """Monotonic; None when it never has."""
    clock_offset_s: float | None = None
    """Its wall clock less ours, as far as an answer tells."""
    refused_streams: dict[str, str] = field(default_factory=dict)
    distrusted: dict[tuple[str, str], str] = field(default_factory=dict)
    """(stream, origin) that is taken no more, and why."""


MAX_WINDOW: Final = 16
"""Batches in one answer: what a peer is behind by comes as fast as the link has room, however long its way is."""


@dataclass(frozen=True)
class Appetite:
    """How much is asked for, and applied, at once."""

    max_operations: int
    """Of a batch: what one transaction applies. An answer holds more of them while there is more to come."""
    max_bytes: int
    """Of an answer."""


class Puller:
    """One store's side towards one peer. `now` is monotonic seconds, `wall` Unix time."""

    def __init__(
        self,
        link: Link,
        store: Store,
        plans: Mapping[str, CollectionPlan],
        *,
        member: Callable[[], str],
        appetite: Appetite,
        on_applied: Callable[[str], None],
        snapshots: Snapshots,
        quarantine: Quarantine,
        versions: Versions = UNVERSIONED,
        say: Callable[[str, str, Mapping[str, object]], None],
        sleep: Callable[[float], Awaitable[None]],
        now: Callable[[], float],
        wall: Callable[[], float],
        rng: random.Random,
        on_clock: Callable[[str, float], None] = lambda peer, clock: None,
    ) -> None:
        """`on_applied` is told each stream that has moved, `on_clock` what the peer's clock shows (Unix time);
        `say(level, event, facts)` is the log."""
        self.link = link
        self.plans = plans
        self._intake = Intake(link, store, quarantine, say=say, wall=wall)
        self.standing = Standing(distrusted=self._intake.distrusted)
        self.lag = LagBook(fresh_s=WAIT_S * 3)
        self._store = store
        self._member = member
        self._appetite = appetite
        self._on_applied = on_applied
        self._snapshots = snapshots
        self._versions = versions
        self._say = say
        self._sleep = sleep
        self._now = now
        self._wall = wall
        self._rng = rng
        self._on_clock = on_clock
        self._window = 1
        """Batches that the next answer may hold."""
        self._is_back = asyncio.Event()

    async def run(self) -> None:
        """For ever; only cancellation ends it."""
        backoff_s, quiet_s = BACKOFF_FIRST_S, QUIET_S
        while True:
            began, before = self._now(), self.standing.operations
            try:
                await self.run_once()
                backoff_s = BACKOFF_FIRST_S
                if self.standing.operations == before and self._now() - began < QUIET_S:
                    await self._sleep(quiet_s)
                    quiet_s = min(WAIT_S, quiet_s * 2)
                else:
                    quiet_s = QUIET_S
                continue
            except (PeerUnavailable, PeerRefused, FrameRefused) as error:
                self._window = 1
                self._unreached(str(error))
            except StoreUnavailable as error:
                self._unreached(f"this store cannot take more: {error}")
            await slept_or_woken(self._sleep, backoff_s * (0.5 + self._rng.random()), self._is_back)
            backoff_s = min(BACKOFF_MAX_S, backoff_s * 2)

    def is_back(self) -> None:
        """The peer, or one beside it, has just been heard again: when it was not reached, try now."""
        if not self.standing.is_reached:
            self._is_back.set()

    async def run_once(self) -> None:
        """Pull until an answer brings little; then the round is over. Raises what `run` waits after."""
        have = await self._have()
        if not have:
            await self._sleep(WAIT_S)
            return
        self._window = 1
        answer = await self._ask(have)
        if answer.member == self._member():
            await self._sleep(WAIT_S)  # the same store through another node: there is nothing to wait for
            return
        while self._is_full(answer):
            self._window = min(MAX_WINDOW, self._window * 2)
            # What this answer will leave us with is what the next question starts from.
            took, upcoming = await asyncio.gather(
                self._take(answer), self._ask(_ahead(have, answer)), return_exceptions=True
            )
            for outcome in (took, upcoming):
                if isinstance(outcome, BaseException):
                    raise outcome
            if not took:
                return
            have, answer = await self._have(), cast(Pulled, upcoming)
        await self._take(answer)

    def streams(self) -> list[CollectionPlan]:
        """What may come from this peer, most important first."""
        permitted = [plan for plan in self.plans.values() if plan.is_here and self.link.region in plan.regions]
        return sorted(permitted, key=lambda plan: (plan.importance, plan.name))

    async def _have(self) -> list[StreamHave]:
        have = []
        for plan in self.streams():
            heads = await self._store.heads(plan.name)
            received = dict(heads.received)
            for stream, origin in self.standing.distrusted:
                if stream == plan.name:
                    received[origin] = MAX_SEQUENCE  # nothing of it is wanted
            have.append(
                StreamHave(
                    plan.name, received, heads.applied, self._store.origin(plan.name), self._versions.version(plan.name)
                )
            )
        return have

    async def _ask(self, have: list[StreamHave]) -> Pulled:
        appetite = self._appetite
        most = appetite.max_operations * self._window
        request = Pull(PROTOCOL, self._member(), tuple(have), most, appetite.max_bytes, wait_s=WAIT_S)
        frame = await self.link.ask(pack(request), timeout_s=WAIT_S + TIMEOUT_S)
        answer = unpack(frame, Pulled, at_most=MAX_ANSWER)
        standing = self.standing
        if not standing.is_reached:
            self._say("info", "peer reached", {"peer": self.link.name, "region": self.link.region})
        standing.is_reached, standing.problem, standing.answered_at = True, "", self._now()
        standing.rounds += 1
        standing.bytes += len(frame)
        standing.clock_offset_s = None
        if answer.news:
            # Read when the peer answered, which may be long after it was asked: it waits for news.
            standing.clock_offset_s = answer.clock - self._wall()
            self._on_clock(self.link.name, answer.clock)
        await self._note_refusals(answer)
        return answer

    def _is_full(self, answer: Pulled) -> bool:
        operations = max((len(news.operations) for news in answer.news), default=0)
        size = sum(operation.size() for news in answer.news for operation in news.operations)
        appetite = self._appetite
        return operations >= appetite.max_operations * FULL_SHARE or size >= appetite.max_bytes * FULL_SHARE

    async def _take(self, answer: Pulled) -> bool:
        """Apply an answer; False when something of it was not taken, so that the next one does not fit."""
        is_whole = True
        wanted = {plan.name for plan in self.streams()}
        for news in answer.news:
            if news.stream not in wanted:
                self._unasked(news.stream)
                is_whole = False
                continue
            if news.operations:
                is_whole = await self._receive(news) and is_whole
            applied = (await self._store.heads(news.stream)).applied
            self.lag.heard(news.stream, self._without_distrusted(news), applied, now=self._now())
        return is_whole

    async def _receive(self, news: StreamNews) -> bool:
        for start in range(0, len(news.operations), self._appetite.max_operations):
            batch = news.operations[start : start + self._appetite.max_operations]
            receipt = await self._intake.take(news.stream, batch)
            self.standing.operations += receipt.applied + receipt.held
            if receipt.applied or receipt.held:
                self._on_applied(news.stream)
            if receipt.problem is not None:
                return False
        return True

    def trust_again(self, stream: str, origin: str) -> bool:
        """A person has looked at it: take this origin's operations again."""
        return self._intake.trust_again(stream, origin)

    def _without_distrusted(self, news: StreamNews) -> VersionVector:
        distrusted = {origin for stream, origin in self.standing.distrusted if stream == news.stream}
        return {origin: seq for origin, seq in news.heads.items() if origin not in distrusted}

    async def _note_refusals(self, answer: Pulled) -> None:
        refused = {stream: str(reason) for stream, reason in answer.refused}
        for news in answer.news:
            self._snapshots.served(news.stream, self.link)
            self._versions.heard(answer.member, news.stream, news.resolver)
        for stream, reason in refused.items():
            if reason == "refetch":
                await self._snapshots.refused(stream, self.link)
            elif self.standing.refused_streams.get(stream) != reason:
                facts = {"peer": self.link.name, "stream": stream, "reason": reason}
                self._say("warning", "a peer refuses a stream: do all nodes have the same configuration?", facts)
        self.standing.refused_streams = refused

    def _unasked(self, stream: str) -> None:
        facts = {"peer": self.link.name, "region": self.link.region, "stream": stream}
        self._say("error", "a peer sent a stream that nobody asked for, refused", facts)

    def _unreached(self, why: str) -> None:
        if self.standing.is_reached or self.standing.problem != why:
            self._say("warning", "no replication from a peer", {"peer": self.link.name, "why": why})
        self.standing.is_reached, self.standing.problem = False, why


def _ahead(have: list[StreamHave], answer: Pulled) -> list[StreamHave]:
    """What will have been received when `answer` is applied; confirmations are only those that are true now."""
    operations = {news.stream: news.operations for news in answer.news}
    ahead = []
    for one in have:
        received = dict(one.received)
        for sealed in operations.get(one.stream, ()):
            with contextlib.suppress(Malformed):  # applying it tells
                origin, seq = dot_of(sealed.head)
                received[origin] = max(seq, received.get(origin, 0))
        ahead.append(StreamHave(one.stream, received, one.applied, one.life, one.resolver))
    return ahead
