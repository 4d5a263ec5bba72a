"""What does this store keep for others, and for how long? Logs and tombstones go once nobody needs them.

    heard(stream, member)      a member asked: it lives
    tick()                     now and then: who is silent for too long, what is below the cut, what goes
    evict(member)              an operator knows that a member is gone (awaited: what would be)

The decisions are in sync/core/retention.py. A region that was never heard counts as a member that has confirmed
nothing, from the moment it was first missed. When each member was heard is kept over restarts, and so is who was
evicted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from sync.core.confirmations import Confirmations
from sync.core.dots import VersionVector, region_of
from sync.core.plans import CollectionPlan
from sync.core.retention import ALIVE_S, EvictionReason, Retention, Silence, evictions, held_up
from sync.errors import SyncError
from sync.store import Store

TICK_S: Final = 30.0
HEARD_EVERY_S: Final = 600.0
"""How exactly it is remembered when a member was heard: eviction takes days."""
HEARD: Final = "heard "
EVICTED: Final = "evicted "

Say = Callable[[str, str, Mapping[str, object]], None]


@dataclass(frozen=True)
class Upkeep:
    """What the configuration says. Seconds and bytes."""

    anti_entropy_s: float = 60.0
    evict_after_s: float = 7 * 86400.0
    max_log: float = 10 << 30
    keep_operations: int = 100_000
    """That stay in the log for clients' cursors though every store has seen them."""
    tick_s: float = TICK_S


class EvictedRecord(msgspec.Struct, frozen=True):
    """Why a member is not waited for."""

    reason: EvictionReason
    at: float
    """Wall time in seconds."""
    because: str = ""
    """An operator's words."""


@dataclass(frozen=True)
class MemberLine:
    """One member of one stream, for people."""

    stream: str
    member: str
    """A store's name, or a region's whose stores were never heard."""
    silent_s: float
    holds_up: int
    """Operations applied here that it has not confirmed."""
    evicted: EvictedRecord | None


class StillAlive(Exception):
    """A member that was heard a moment ago is not evicted: it would be back at once."""


class Keeper:
    """One store's. `now` is monotonic seconds, `wall` Unix time."""

    def __init__(
        self,
        store: Store,
        plans: Mapping[str, CollectionPlan],
        *,
        region: str,
        upkeep: Upkeep,
        confirmations: Confirmations,
        compared: Mapping[str, Mapping[str, VersionVector]],
        say: Say,
        sleep: Callable[[float], Awaitable[None]],
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        """`compared`: by stream and member, up to where both were found to hold the same."""
        self._store = store
        self._plans = plans
        self._region = region
        self._upkeep = upkeep
        self._confirmations = confirmations
        self._compared = compared
        self._say = say
        self._sleep = sleep
        self._now = now
        self._wall = wall
        self._retention: dict[str, Retention] = {}
        self._heard: dict[tuple[str, str], float] = {}
        """Monotonic; before the start too, as far as is known."""
        self._noted: dict[tuple[str, str], float] = {}
        """The `heard` that is on disk."""
        self._evicted: dict[tuple[str, str], EvictedRecord] = {}
        self._returned: set[tuple[str, str]] = set()
        self.forgotten: dict[str, int] = {}
        """Operations, by stream, since the start."""
        self._is_over = False

    async def start(self) -> None:
        """Remember who was heard when, and who was evicted."""
        for stream in self._store.streams():
            for name, value in (await self._store.notes(stream)).items():
                if name.startswith(HEARD):
                    silent_s = max(0.0, self._wall() - msgspec.msgpack.decode(value, type=float))
                    place = (stream, name.removeprefix(HEARD))
                    self._heard[place] = self._noted[place] = self._now() - silent_s
                elif name.startswith(EVICTED):
                    record = msgspec.msgpack.decode(value, type=EvictedRecord)
                    self._evicted[stream, name.removeprefix(EVICTED)] = record

    def heard(self, stream: str, member: str) -> None:
        """It has just asked; if it was evicted, it is a member again."""
        self._heard[stream, member] = self._now()
        for name in (member, region_of(member)):
            if self._evicted.pop((stream, name), None) is not None:
                self._returned.add((stream, name))

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._sleep(self._upkeep.tick_s)
            try:
                await self.tick()
            except SyncError as error:
                self._say("warning", "logs are not pruned", {"why": str(error)})

    async def tick(self) -> None:
        """Evict, forget, and note. Raises SyncError."""
        streams = self._store.streams()
        for stream, name in list(self._returned):
            await self._store.note(stream, EVICTED + name, None)
            self._returned.discard((stream, name))
        applied = {stream: (await self._store.heads(stream)).applied for stream in streams}
        await self._evict_silent(applied)
        for stream in streams:
            await self._forget(stream, applied[stream])
        await self._note_heard()

    async def _forget(self, stream: str, applied: VersionVector) -> None:
        members = dict(self._members(stream))
        retention = self._retention.setdefault(stream, Retention())
        below = retention.cut(applied, members, self._compared.get(stream, {}))
        if not below:
            return
        count = await self._store.prune(stream, below, keep=self._upkeep.keep_operations)
        if count:
            self.forgotten[stream] = self.forgotten.get(stream, 0) + count

    def _members(self, stream: str) -> Mapping[str, Mapping[str, int]]:
        """What each has confirmed; a region of which nothing was ever heard has confirmed nothing."""
        members: dict[str, Mapping[str, int]] = dict(self._confirmations.members(stream))
        known = {region_of(member) for member in members}
        known |= {region_of(member) for of, member in self._evicted if of == stream}
        for region in self._plans[stream].regions:
            if region != self._region and region not in known:
                members[region] = {}
                self._heard.setdefault((stream, region), self._now())
        return members

    def _silences(self, applied: Mapping[str, VersionVector]) -> dict[str, list[Silence]]:
        return {
            stream: [
                Silence(member, self._silent_s(stream, member), held_up(vector, confirmed))
                for member, confirmed in self._members(stream).items()
            ]
            for stream, vector in applied.items()
        }

    def _silent_s(self, stream: str, member: str) -> float:
        return self._now() - self._heard.setdefault((stream, member), self._now())

    async def _evict_silent(self, applied: Mapping[str, VersionVector]) -> None:
        silences = self._silences(applied)
        weights: dict[str, float] = {}
        for stream, found in silences.items():
            stats = await self._store.stats(stream)
            each = stats.log_bytes / max(1, stats.log_operations)
            for one in found:
                weights[one.member] = weights.get(one.member, 0.0) + one.holds_up * each
        self._tell_size(max(weights.values(), default=0.0))
        for stream, found in silences.items():
            for gone in evictions(
                found,
                evict_after_s=self._upkeep.evict_after_s,
                log_bytes_held_up=weights,
                max_log=self._upkeep.max_log,
            ):
                await self._let_go(stream, gone.member, EvictedRecord(gone.reason, self._wall()))

    def _tell_size(self, held_up_bytes: float) -> None:
        is_over = held_up_bytes > self._upkeep.max_log
        if is_over and not self._is_over:
            facts = {"bytes": int(held_up_bytes), "max_log": int(self._upkeep.max_log)}
            self._say("warning", "more log than max_log waits for a member", facts)
        self._is_over = is_over

    def awaited(self, name: str) -> list[tuple[str, str]]:
        """What waits for a member, or for those of a region: (stream, member) of each. Raises StillAlive."""
        found = [
            (stream, member)
            for stream in self._store.streams()
            for member in self._members(stream)
            if name in {member, region_of(member)}
        ]
        for stream, member in found:
            silent_s = self._silent_s(stream, member)
            if ":" in member and silent_s < ALIVE_S:
                raise StillAlive(f"{member} was heard {silent_s:.0f} s ago, expected {ALIVE_S:.0f} s of silence")
        return found

    def is_evicted(self, name: str) -> bool:
        """Whether this is a member that nobody waits for now, or a region with one."""
        return any(name in {member, region_of(member)} for _, member in self._evicted)

    async def evict(self, name: str, *, because: str) -> list[tuple[str, str]]:
        """Wait for a member, or for all of a region's, no longer: (stream, member) of each. Raises StillAlive."""
        found = self.awaited(name)
        for stream, member in found:
            await self._let_go(stream, member, EvictedRecord("operator", self._wall(), because))
        return found

    async def _let_go(self, stream: str, member: str, record: EvictedRecord) -> None:
        life = self._confirmations.life(stream, member)
        self._confirmations.forget(stream, member)
        if life is not None:
            await self._store.forget_member(stream, life)
        await self._store.note(stream, HEARD + member, None)
        await self._store.note(stream, EVICTED + member, msgspec.msgpack.encode(record))
        self._heard.pop((stream, member), None)
        self._noted.pop((stream, member), None)
        self._evicted[stream, member] = record
        facts = {"stream": stream, "member": member, "reason": record.reason, "because": record.because}
        self._say("error", "a member is evicted: when it comes back it takes a snapshot", facts)

    async def _note_heard(self) -> None:
        for place, at in list(self._heard.items()):
            if at - self._noted.get(place, float("-inf")) >= HEARD_EVERY_S:
                seconds = self._wall() - (self._now() - at)
                await self._store.note(place[0], HEARD + place[1], msgspec.msgpack.encode(seconds))
                self._noted[place] = at

    def evicted_from(self, stream: str) -> int:
        """How many members are not waited for now."""
        return sum(of == stream for of, _ in self._evicted)

    async def members(self) -> list[MemberLine]:
        """All that are waited for, and those that are not any more."""
        lines = []
        for stream in self._store.streams():
            applied = (await self._store.heads(stream)).applied
            for one in self._silences({stream: applied})[stream]:
                lines.append(MemberLine(stream, one.member, one.silent_s, one.holds_up, None))
            for (of, member), record in self._evicted.items():
                if of == stream:
                    lines.append(MemberLine(stream, member, self._wall() - record.at, 0, record))
        return lines
