"""The embedded Store: each residency class in a file of its own, each file with one writer's lane; readers share some.

    write, receive, prune ...   the file's writer lane: in the order asked, group commit
    read, list, changes ...     a reader's lane: they see what is committed, and wait for no writer

Waiters of a feed are woken after the commit, on the loop. A class whose file is unusable costs that class only.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from sync.core.absorbing import Absorbed, Page, Purpose
from sync.core.digests import KeyRange
from sync.core.dots import Dot, VersionVector, joined, next_incarnation
from sync.core.loss_log import KnownLoss
from sync.core.op_ids import KEEP_KEYS_MS, KEEP_PASSING_MS, MAX_KEYS, Done, OpId
from sync.core.operation import Sealed
from sync.core.plans import CollectionPlan
from sync.core.writes import Refusal, Write, Written
from sync.errors import StoreUnavailable, UnknownStream
from sync.sqlite import absorbing, arrivals, file, pruning
from sync.sqlite.copies import Copies
from sync.sqlite.file import ClassFile, Writes, group_commit
from sync.sqlite.lanes import Lane, LaneFull, Outcome, Work, one_by_one
from sync.sqlite.views import Views
from sync.store import (
    Base,
    Changes,
    ConflictRecord,
    Cursor,
    Digests,
    Heads,
    HeldOperation,
    Listed,
    Receipt,
    Record,
    StreamStats,
)
from sync.wakeups import Wakeups

Answer = TypeVar("Answer")
MakeLane = Callable[[str, Callable[[Sequence[Work]], list[Outcome]]], Lane]

TAIL: Final = 16
TAIL_BYTES: Final = 64 << 10
"""Operations and bytes that are read on the loop by whoever follows a stream closely."""
READERS: Final = 2
"""Lanes: a long page on one does not hold up a single key on the other."""


class SqliteStore:
    """All classes that this node holds; `open_store` (opening.py) makes it."""

    def __init__(self, plans: Mapping[str, CollectionPlan], *, make_lane: MakeLane) -> None:
        self._plans = plans
        self._files: dict[str, ClassFile] = {}
        self._writers: dict[str, Lane] = {}
        self._readers = [make_lane(f"sync-read-{index}", one_by_one) for index in range(READERS)]
        self._next_reader = 0
        self._make_lane = make_lane
        self._faults: dict[str, str] = {}
        self._commits: Counter[str] = Counter()
        """By class: how often its writer may have changed it."""
        self._known: dict[tuple[str, str], tuple[int, Any]] = {}
        """How far each stream is, and at which of those counts it was read: asked all the time, by every peer."""
        self.wakeups = Wakeups()

    def add(self, residency_class: str, opened: ClassFile) -> None:
        """Serve a class from its file."""
        self._files[residency_class] = opened
        self._writers[residency_class] = self._make_lane(f"sync-write-{residency_class}", group_commit)
        self.wakeups.moved(file.positions(opened.ledger))
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        opened.ledger.on_commit = lambda moved: _call(loop, self._committed, residency_class, dict(moved))

    def _committed(self, residency_class: str, moved: Mapping[str, int]) -> None:
        self._commits[residency_class] += 1
        self.wakeups.moved(moved)

    def add_fault(self, residency_class: str, fault: str) -> None:
        """Refuse a class, saying why."""
        self._faults[residency_class] = fault

    @property
    def faults(self) -> Mapping[str, str]:
        """Classes that cannot be served, and why."""
        return self._faults

    def paths(self) -> Mapping[str, Path]:
        """The files, by residency class; of those that can be served."""
        return {name: opened.path for name, opened in self._files.items()}

    def origin(self, stream: str) -> str:
        return self._file(stream).ledger.origin

    def streams(self) -> Sequence[str]:
        return [name for name, plan in self._plans.items() if plan.residency_class in self._files]

    # Clients

    async def write(self, writes: Sequence[Write], *, now: float) -> list[Written | Refusal]:
        by_class: dict[str, list[int]] = {}
        for index, write in enumerate(writes):
            by_class.setdefault(self._class(write.stream), []).append(index)
        if len(by_class) == 1:
            ((name, _),) = by_class.items()
            done: list[Written | Refusal] = await self._on_writer(
                name, Writes(self._files[name].ledger, [(write, now) for write in writes])
            )
            return done
        parts = [
            (indexes, Writes(self._files[name].ledger, [(writes[index], now) for index in indexes]))
            for name, indexes in by_class.items()
        ]
        outcomes = await asyncio.gather(
            *(self._on_writer(name, part) for name, (_, part) in zip(by_class, parts, strict=True))
        )
        results: list[Written | Refusal | None] = [None] * len(writes)
        for (indexes, _), outcome in zip(parts, outcomes, strict=True):
            for index, result in zip(indexes, outcome, strict=True):
                results[index] = result
        return [result for result in results if result is not None]

    async def read(self, stream: str, key: str) -> Record | None:
        return await self._view(stream, lambda views: views.read(stream, key))

    async def list_keys(self, stream: str, *, prefix: str, after: str, limit: int) -> list[Listed]:
        return await self._view(stream, lambda views: views.list_keys(stream, prefix=prefix, after=after, limit=limit))

    async def changes(self, stream: str, since: Cursor | None, *, limit: int, max_bytes: int) -> Changes:
        origin = self.origin(stream)
        is_tail = since is not None and since.origin == origin and (await self._behind(since)) <= TAIL
        most = min(max_bytes, TAIL_BYTES) if is_tail else max_bytes
        return await self._view(
            stream, lambda views: views.changes(stream, since, origin, limit=limit, max_bytes=most), is_tail=is_tail
        )

    async def cursor(self, stream: str) -> Cursor:
        origin = self.origin(stream)
        return self._standing("cursor", stream, lambda views: views.cursor(stream, origin))

    async def wait_for_change(self, positions: Mapping[str, int], *, timeout_s: float) -> bool:
        for stream in positions:
            self._file(stream)
        return await self.wakeups.wait(positions, timeout_s=timeout_s)

    async def in_conflict(self, stream: str, *, after: str, limit: int) -> list[Listed]:
        return await self._view(stream, lambda views: views.in_conflict(stream, after=after, limit=limit))

    async def conflict_log(self, stream: str, *, after: Dot | None, limit: int) -> list[ConflictRecord]:
        return await self._view(stream, lambda views: views.conflict_log(stream, after=after, limit=limit))

    async def value_of(self, stream: str, dot: Dot) -> bytes | None:
        return await self._view(stream, lambda views: views.value_of(stream, dot))

    # Other stores

    async def receive(
        self, stream: str, operations: Sequence[Sealed], *, now: float, poison: Collection[Dot] = ()
    ) -> Receipt:
        ledger = self._file(stream).ledger
        counts, problem = await self._write(
            stream, lambda: arrivals.receive(ledger, stream, operations, now=now, poison=poison)
        )
        heads = await self.heads(stream)
        return Receipt(counts["applied"], counts["held"], counts["duplicate"], heads, problem)

    async def operations_after(
        self, stream: str, have: Mapping[str, int], *, max_operations: int, max_bytes: int
    ) -> list[Sealed]:
        received = (await self.heads(stream)).received
        is_tail = sum(max(0, seq - have.get(origin, 0)) for origin, seq in received.items()) <= TAIL
        most = min(max_bytes, TAIL_BYTES) if is_tail else max_bytes
        return await self._view(
            stream,
            lambda views: views.operations_after(stream, have, max_operations=max_operations, max_bytes=most),
            is_tail=is_tail,
        )

    async def heads(self, stream: str) -> Heads:
        return self._standing("heads", stream, lambda views: views.heads(stream))

    async def acknowledge(self, stream: str, member: str, vector: VersionVector) -> None:
        known = (await self.acknowledged(stream)).get(member, {})
        both = joined(known, vector)
        if both == known:
            return
        ledger = self._file(stream).ledger

        def store() -> None:
            with ledger.transaction(now=0.0):
                ledger.connection.execute(
                    "INSERT OR REPLACE INTO acknowledged VALUES (?, ?, ?)",
                    (ledger.stream_id(stream), member, msgspec.msgpack.encode(both)),
                )

        await self._write(stream, store)

    async def acknowledged(self, stream: str) -> dict[str, VersionVector]:
        return await self._view(stream, lambda views: views.acknowledged(stream))

    async def forget_member(self, stream: str, member: str) -> None:
        ledger = self._file(stream).ledger
        await self._write(stream, lambda: absorbing.forget_member(ledger, stream, member))

    async def release_held(self, stream: str, *, now: float, sound: Sequence[Sealed] = ()) -> int:
        if not await self.held(stream, limit=1):
            return 0
        ledger = self._file(stream).ledger
        released: int = await self._write(stream, lambda: arrivals.release(ledger, stream, now=now, sound=sound))
        return released

    async def skip_held(self, stream: str, dot: Dot) -> bool:
        ledger = self._file(stream).ledger
        return bool(await self._write(stream, lambda: arrivals.skip(ledger, stream, dot)))

    async def held(self, stream: str, *, limit: int, reason: str | None = None) -> list[HeldOperation]:
        return await self._view(stream, lambda views: views.held(stream, limit=limit, reason=reason))

    async def logged(self, stream: str, dots: Sequence[Dot]) -> list[Sealed]:
        return await self._view(stream, lambda views: views.logged(stream, dots))

    async def prune(self, stream: str, below: VersionVector, *, keep: int) -> int:
        ledger = self._file(stream).ledger
        forgotten = start = 0
        while True:
            prune = partial(pruning.prune, ledger, stream, below, keep=keep, start=start, now=0.0)
            count, going_on = await self._write(stream, prune)
            forgotten += int(count)
            if going_on is None:
                return forgotten
            start = going_on

    async def expire(self, *, conflicts_before_ms: int, now: float) -> None:
        """Forget conflict records and idempotency keys that are old enough."""
        for stream in self.streams():
            ledger = self._file(stream).ledger
            expire = partial(pruning.expire_conflicts, ledger, stream, before_ms=conflicts_before_ms, now=now)
            while await self._write(stream, expire):
                pass
        before, passing_before = int(now * 1000) - KEEP_KEYS_MS, int(now * 1000) - KEEP_PASSING_MS
        for name, opened in self._files.items():
            forget = partial(pruning.forget_keys, opened.ledger, before_ms=before, at_most=MAX_KEYS, now=now)
            await self._on_writer(name, forget)
            start: OpId | None = pruning.FIRST_PASSING
            while start is not None:
                start = await self._on_writer(
                    name,
                    partial(pruning.forget_passing, opened.ledger, before_ms=passing_before, now=now, start=start),
                )

    async def renew_incarnation(self, stream: str, *, reason: str) -> str:
        """Of the whole file: what one of its streams forgot, the others may have forgotten too."""
        ledger = self._file(stream).ledger

        def renew() -> str:
            with ledger.transaction(now=0.0):
                origin = next_incarnation(ledger.origin, ledger.chance)
                ledger.connection.execute("INSERT OR REPLACE INTO meta VALUES ('origin', ?)", (origin,))
                ledger.connection.execute("INSERT OR REPLACE INTO meta VALUES ('renewed', ?)", (reason,))
            ledger.reload()
            return ledger.origin

        origin: str = await self._write(stream, renew)
        return origin

    async def stats(self, stream: str) -> StreamStats:
        return await self._view(stream, lambda views: views.stats(stream))

    async def close(self) -> None:
        for lane in (*self._writers.values(), *self._readers):
            await lane.close()
        for opened in self._files.values():
            opened.close()

    # Comparing and copying

    async def digests(self, stream: str, ranges: Sequence[KeyRange]) -> Digests:
        return await self._copies(stream, lambda copies: copies.digests(stream, ranges))

    async def split(self, stream: str, within: KeyRange, *, pieces: int) -> list[str]:
        return await self._copies(stream, lambda copies: copies.split(stream, within, pieces=pieces))

    async def page(self, stream: str, within: KeyRange, *, limit: int, max_bytes: int) -> Page:
        return await self._copies(stream, lambda copies: copies.page(stream, within, limit=limit, max_bytes=max_bytes))

    async def absorb(self, stream: str, page: Page, within: KeyRange, *, purpose: Purpose, now: float) -> Absorbed:
        ledger = self._file(stream).ledger
        absorbed: Absorbed = await self._write(
            stream, lambda: absorbing.absorb(ledger, stream, page, within, purpose=purpose, now=now)
        )
        return absorbed

    async def take_losses(self, stream: str, losses: Sequence[KnownLoss], *, now: float) -> int:
        ledger = self._file(stream).ledger
        return int(await self._write(stream, lambda: absorbing.take_losses(ledger, stream, losses, now=now)))

    async def base(self, stream: str) -> Base:
        return await self._copies(stream, lambda copies: copies.base(stream))

    async def adopt(self, stream: str, base: Base, *, horizon: VersionVector) -> None:
        ledger = self._file(stream).ledger
        await self._write(stream, lambda: absorbing.adopt(ledger, stream, base, horizon))

    async def remembered(self, stream: str, after: OpId | None, *, limit: int) -> list[tuple[OpId, Done]]:
        return await self._copies(stream, lambda copies: copies.remembered(after, limit=limit))

    async def remember(self, stream: str, done: Sequence[tuple[OpId, Done]], *, now: float) -> None:
        ledger = self._file(stream).ledger

        def store() -> None:
            with ledger.transaction(now=now):
                ledger.put_done(dict(done), now)

        await self._write(stream, store)

    async def note(self, stream: str, name: str, value: bytes | None) -> None:
        ledger = self._file(stream).ledger
        await self._write(stream, lambda: absorbing.note(ledger, stream, name, value))

    async def notes(self, stream: str) -> dict[str, bytes]:
        return await self._copies(stream, lambda copies: copies.notes(stream))

    # Inside

    async def _copies(self, stream: str, ask: Callable[[Copies], Answer]) -> Answer:
        return await self._view(stream, lambda views: ask(Copies(views)))

    def _class(self, stream: str) -> str:
        plan = self._plans.get(stream)
        if plan is None:
            raise UnknownStream(f"no collection {stream}")
        if plan.residency_class not in self._files:
            fault = self._faults.get(plan.residency_class)
            if fault is not None:
                raise StoreUnavailable(fault)
            raise UnknownStream(f"collection {stream} is not kept in this region")
        return plan.residency_class

    def _file(self, stream: str) -> ClassFile:
        return self._files[self._class(stream)]

    async def _write(self, stream: str, work: Work) -> Any:
        return await self._on_writer(self._class(stream), work)

    async def _on_writer(self, residency_class: str, work: Work) -> Any:
        try:
            return await self._on_lane(self._writers[residency_class], work)
        finally:
            self._commits[residency_class] += 1

    def _standing(self, what: str, stream: str, ask: Callable[[Views], Answer]) -> Answer:
        """What only commits change, and a few rows tell that are always in memory: read again after a commit, and by
        the caller itself, for waking a reader and being woken by it takes longer than to look.
        """
        at = self._commits[self._class(stream)]
        known = self._known.get((what, stream))
        if known is None or known[0] != at:
            known = self._known[what, stream] = (at, ask(self._file(stream).views()))
        answer: Answer = known[1]
        return answer

    async def _behind(self, cursor: Cursor) -> int:
        return (await self.cursor(cursor.stream)).position - cursor.position

    async def _view(self, stream: str, ask: Callable[[Views], Answer], *, is_tail: bool = False) -> Answer:
        """`is_tail`: a little of what was just written, which is in memory; the caller itself looks, as above."""
        opened = self._file(stream)
        if is_tail:
            return ask(opened.views())
        self._next_reader = (self._next_reader + 1) % len(self._readers)
        answer: Answer = await self._on_lane(self._readers[self._next_reader], lambda: ask(opened.views()))
        return answer

    async def _on_lane(self, lane: Lane, work: Work) -> Any:
        try:
            return await lane.run(work)
        except LaneFull:
            raise StoreUnavailable("too much waits for the store already, expected less load") from None


def _call(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *given: object) -> None:
    """From whatever thread; a loop that is closed has nobody who waits."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(what, *given)
