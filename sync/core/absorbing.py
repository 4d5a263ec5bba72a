"""What becomes of key states that another store sends, and not of operations one by one?

    page      keys of a range in order, each with its state and the operations of its versions
    verified  every version is the one that its operation's head names; a key with a value that is not the one that was
              written is left as it is here: another store may have it sound, and nothing else waits for it
    settled   sync/core/reconciling.py: repaired where a comparison finds this store wrong, or taken from a snapshot
    out       states to be written (an empty one: to be removed), operations whose rows must be in the log, losses

Pure, for every store; the caller fetches, and commits all of it in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal

import msgspec

from sync.core.clock import Clock
from sync.core.digests import KeyRange
from sync.core.dots import Dot, VersionVector, covers, joined
from sync.core.local_batch import Appended
from sync.core.merging import version_of
from sync.core.op_ids import Done, OpId
from sync.core.operation import Malformed, Sealed, ValueDamaged, decode_head, head_hash, verify_value
from sync.core.plans import CollectionPlan
from sync.core.policy import Loss, Settled, keeps_siblings
from sync.core.reconciling import Known, Side, absorbed, compared, is_comparable, living
from sync.core.versions import EMPTY, KeyState, Version

Purpose = Literal["comparison", "snapshot"]


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One key as a store holds it."""

    key: str
    state: KeyState
    operations: tuple[Sealed, ...]
    """Of its versions, in their order."""
    aliases: tuple[Sealed, ...] = ()
    """Other operations of events that were sent twice, as far as they are at hand."""


class Page(msgspec.Struct, frozen=True, array_like=True):
    """Keys of a range, tombstones too, from one moment."""

    applied: VersionVector
    horizon: VersionVector
    entries: tuple[Entry, ...]
    next: str | None
    """Go on behind this key; None: the range is done."""


class TooEarly(Exception):
    """A version from further in the future than this store's clock allows: wait, or set the clock."""


@dataclass(frozen=True, slots=True)
class Absorbed:
    """What a page has changed; durable."""

    repaired: tuple[str, ...] = ()
    """Keys that this store held wrong (comparison)."""
    suspected: int = 0
    """Keys that the other store seems to hold wrong: it finds out by its own comparison."""
    changed: int = 0
    damaged: int = 0
    """Keys that were left as they are here, for the other store holds a value of theirs damaged."""


@dataclass(slots=True)
class AbsorbBatch:
    """One page. What the caller fetched goes in; what is to be committed comes out."""

    stream: str
    purpose: Purpose
    plan: CollectionPlan
    clock: Clock
    mine: Side
    states: Mapping[str, KeyState]
    """Of every key of this store within the page's range."""
    read: Mapping[Dot, Mapping[str, int]]
    """What the writers of their versions and of the page's had read, by every dot that is in this store's log."""
    done: Mapping[OpId, Done] = field(default_factory=dict)
    """What is remembered of the client operations of those versions; needed for a snapshot."""
    changed: dict[str, KeyState] = field(default_factory=dict)
    needed: list[Appended] = field(default_factory=list)
    """Operations of versions that were not held: their rows must be in the log."""
    losses: list[tuple[str, Loss]] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    suspected: int = 0
    damaged: int = 0

    def take(self, page: Page, within: KeyRange, *, now: float) -> None:
        """Judge a page of the range. Raises Malformed or TooEarly, and then nothing of it may be committed."""
        theirs = Side(page.applied, page.horizon)
        if self.purpose == "comparison" and not is_comparable(self.mine, theirs):
            return
        covered = KeyRange(within.after, within.upto if page.next is None else page.next)
        sent = {entry.key for entry in page.entries}
        for entry in page.entries:
            if not covered.holds(entry.key):
                raise Malformed(f"key {entry.key!r} outside of the range that was asked for")
            try:
                self._one(entry, theirs, now=now)
            except ValueDamaged:
                self.damaged += 1
        for key in self.states:
            if key not in sent and covered.holds(key):
                self._one(Entry(key, EMPTY, ()), theirs, now=now)

    def _one(self, entry: Entry, theirs: Side, *, now: float) -> None:
        key, state = entry.key, entry.state
        known = self._verified(entry)
        mine = self.states.get(key, EMPTY)
        # What a writer had read is the same whoever says it.
        read = {**self.read, **{dot: one.operation.vector() for dot, one in known.items()}}
        here, there = _known(mine, read), _known(state, read)
        if self.purpose == "snapshot":
            here = Known(self._without_replaced(mine, state, theirs), here.read)
            settled: Settled | None = absorbed(self.plan.conflict, here, self.mine.horizon, there, theirs.horizon)
        else:
            settled = compared(self.plan.conflict, here, self.mine.applied, there)
            wrong = compared(self.plan.conflict, there, theirs.applied, here)
            if is_comparable(theirs, self.mine) and wrong is not None and living(wrong.state) != living(state):
                self.suspected += 1
        if settled is None or (settled.state == mine and not settled.losses):
            return
        if self.purpose == "comparison" and living(settled.state) != living(mine):
            self.repaired.append(key)
        held = {version.dot for version in mine.versions}
        kept = (*settled.state.versions, *(loss.loser for loss in settled.losses))
        dots = [version.dot for version in kept if version.dot not in held]
        dots += [dot for version in kept for dot in version.also if dot not in self.read]
        for one in (known[dot] for dot in dots if dot in known):
            if not self.clock.observe(one.operation.hlc, now=now):
                raise TooEarly(f"a version of {key!r} that is stamped beyond this clock's range")
            self.needed.append(one)
        self.changed[key] = KeyState() if not settled.state.versions else settled.state
        self.losses.extend((key, loss) for loss in settled.losses)

    def _without_replaced(self, mine: KeyState, state: KeyState, theirs: Side) -> KeyState:
        """A store that was put back to an old state did again what a client repeated: the event of it was applied there
        under another dot, and is replaced."""
        held = {dot for version in state.versions for dot in version.dots}
        kept = []
        for version in mine.versions:
            done = self.done.get(OpId(version.client, version.sequence)) if version.client else None
            dot = version.dot if done is None or done.request != version.request else (done.origin, done.seq)
            if dot in version.dots or dot in held or not covers(theirs.applied, *dot):
                kept.append(version)
        return mine if len(kept) == len(mine.versions) else KeyState(tuple(kept), mine.context)

    def _verified(self, entry: Entry) -> dict[Dot, Appended]:
        known: dict[Dot, Appended] = {}
        key, versions = entry.key, entry.state.versions
        if len(entry.operations) != len(versions):
            raise Malformed(f"{len(versions)} versions of {key!r} with {len(entry.operations)} operations")
        with_event = keeps_siblings(self.plan.conflict)
        for version, sealed in zip(versions, entry.operations, strict=True):
            one = self._operation(key, sealed)
            if not is_of(version, version_of(one.operation, one.digest, with_event=with_event)):
                raise Malformed(f"a version of {key!r} that is not what its operation says")
            known[version.dot] = one
        events = {dot: version for version in versions for dot in version.also}
        for sealed in entry.aliases:
            try:
                one = self._operation(key, sealed)
            except ValueDamaged:
                continue
            alias = version_of(one.operation, one.digest, with_event=with_event)
            if alias.dot not in events or not events[alias.dot].is_same_event(alias):
                raise Malformed(f"an operation of {key!r} that is none of an event that stands there")
            known[alias.dot] = one
        return known

    def _operation(self, key: str, sealed: Sealed) -> Appended:
        """Raises Malformed."""
        operation = decode_head(sealed.head)
        if operation.stream != self.stream or operation.key != key:
            raise Malformed(f"an operation of {operation.stream}/{operation.key} under {self.stream}/{key}")
        verify_value(operation, sealed)
        return Appended(operation, sealed, head_hash(sealed.head))


def _known(state: KeyState, read: Mapping[Dot, Mapping[str, int]]) -> Known:
    """An event that was sent to two regions was written by two who may have read different things; pages bring both
    operations, and a snapshot leaves both in the log. Only where one is at hand nowhere (a peer of an earlier version,
    a value that its disk has lost), the key's context has to do: it proves too much on a disk that has lost some of the
    key, and too little would bring back what the event has replaced."""
    if any(dot not in read for version in state.versions for dot in version.also):
        return Known(state, state.context)
    return Known(state, reduce(joined, (read.get(dot, {}) for dot in dots_of([state])), {}))


def dots_of(states: Iterable[KeyState]) -> list[Dot]:
    """Every dot of the events that stand there."""
    return [dot for state in states for version in state.versions for dot in version.dots]


def events_of(states: Iterable[KeyState]) -> list[OpId]:
    """The client operations whose versions these are."""
    return [OpId(one.client, one.sequence) for state in states for one in state.versions if one.client]


def is_of(version: Version, said: Version) -> bool:
    """Whether a version is the one that its operation names; which aliases it has is no part of that."""
    return (msgspec.structs.replace(version, also=()) if version.also else version) == said
