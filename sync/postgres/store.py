"""The Store in PostgreSQL: each residency class in a schema of its own, each with a writer's desk; readers share some.

    write, receive, prune ...   the class's desk: in the order asked, group commit
    read, list, changes ...     a reader: they see what is committed, and wait for no writer

It is made without asking anybody, so that a node starts while its database is away: until a class was opened for the
first time, and whenever the database cannot be reached, calls raise StoreUnavailable, within a bounded time; when it is
back they work again. `start` begins to open.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from sync.cipher import Cipher
from sync.core.absorbing import Absorbed, Page, Purpose
from sync.core.clock import Clock
from sync.core.digests import KeyRange
from sync.core.dots import Dot, VersionVector, next_incarnation
from sync.core.loss_log import KnownLoss
from sync.core.op_ids import KEEP_KEYS_MS, KEEP_PASSING_MS, MAX_KEYS, Done, OpId
from sync.core.operation import Sealed
from sync.core.plans import CollectionPlan
from sync.core.writes import Refusal, Write, Written
from sync.errors import StoreUnavailable, UnknownStream
from sync.postgres import absorbing, arrivals, copies, forgetting
from sync.postgres.desk import Desk
from sync.postgres.ledger import Ledger
from sync.postgres.listening import Listening
from sync.postgres.server import ANSWER_S, PREFIX, Server
from sync.postgres.views import Views
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
Keep = Callable[[str, Callable[[], Coroutine[Any, Any, None]]], object]
"""(name, work): runs what must not end."""

OPEN_RETRY_S: Final = 0.5
REMEMBER_EVERY_S: Final = 10.0
"""What a backup that is put back may lack without the node noticing it by itself; its peers do."""


class PostgresStore:
    """All classes that this node holds. Make it with `open_store`, then `start` it."""

    def __init__(self, server: Server, plans: Mapping[str, CollectionPlan], *, report: Callable[..., None]) -> None:
        self.wakeups = Wakeups()
        self._server = server
        self._plans = plans
        self._report = report
        self._desks: dict[str, Desk] = {}
        self._views: dict[str, Views] = {}
        self._faults: dict[str, str] = {}
        self._opened = asyncio.Event()
        self._listening = Listening(server, self._views, self.wakeups, report=report)

    def add(self, ledger: Ledger) -> None:
        """Serve a class."""
        ledger.on_commit = self._listening.moved
        self._desks[ledger.residency_class] = Desk(ledger)

    def start(self, keep: Keep) -> None:
        """Open what is to be served, and keep at it."""
        for residency_class, desk in self._desks.items():
            keep(f"write {residency_class}", desk.serve)
        keep("open the classes of data", self._open_all)
        keep("hear of other nodes' changes", self._listening.run)
        keep("remember how far the data has come", self._remember)

    async def opened(self) -> None:
        """Once every class has been opened."""
        await self._opened.wait()

    @property
    def faults(self) -> Mapping[str, str]:
        """Classes that were not opened yet, and why."""
        return self._faults

    async def _remember(self) -> None:
        while True:
            await asyncio.sleep(REMEMBER_EVERY_S)
            await self._note_versions()

    async def _note_versions(self) -> None:
        for desk in self._desks.values():
            try:
                await desk.ledger.remember()
            except OSError as error:
                self._report("the node cannot note how far its data has come", because=str(error))

    async def _open_all(self) -> None:
        while closed := [name for name in self._desks if name not in self._views]:
            for residency_class in closed:
                await self._open(residency_class, self._desks[residency_class])
            if self._faults:
                await asyncio.sleep(OPEN_RETRY_S)
        self._opened.set()

    async def _open(self, residency_class: str, desk: Desk) -> None:
        try:
            await desk.alone(_nothing)
            views = Views(self._server, residency_class, desk.ledger.cipher)
            self.wakeups.moved(await views.positions())
        except StoreUnavailable as unavailable:
            if self._faults.get(residency_class) != str(unavailable):
                self._faults[residency_class] = str(unavailable)
                facts = {"residency_class": residency_class, "because": str(unavailable)}
                self._report("a class of data cannot be served", **facts)
            return
        self._faults.pop(residency_class, None)
        self._views[residency_class] = views

    def origin(self, stream: str) -> str:
        return self.ledger(stream).origin

    def ledger(self, stream: str) -> Ledger:
        """The write side of its class. Raises StoreUnavailable before that was opened, and UnknownStream."""
        return self._desk(stream).ledger

    def streams(self) -> Sequence[str]:
        return [name for name, plan in self._plans.items() if plan.residency_class in self._desks]

    # Clients

    async def write(self, writes: Sequence[Write], *, now: float) -> list[Written | Refusal]:
        by_desk: dict[Desk, list[int]] = {}
        for index, write in enumerate(writes):
            by_desk.setdefault(self._desk(write.stream), []).append(index)
        outcomes = await asyncio.gather(
            *(desk.write([(writes[index], now) for index in indexes]) for desk, indexes in by_desk.items())
        )
        results: dict[int, Written | Refusal] = {}
        for indexes, outcome in zip(by_desk.values(), outcomes, strict=True):
            results.update(zip(indexes, outcome, strict=True))
        return [results[index] for index in range(len(writes))]

    async def read(self, stream: str, key: str) -> Record | None:
        return await self.view(stream).read(stream, key)

    async def list_keys(self, stream: str, *, prefix: str, after: str, limit: int) -> list[Listed]:
        return await self.view(stream).list_keys(stream, prefix=prefix, after=after, limit=limit)

    async def changes(self, stream: str, since: Cursor | None, *, limit: int, max_bytes: int) -> Changes:
        origin = self.origin(stream)
        return await self.view(stream).changes(stream, since, origin, limit=limit, max_bytes=max_bytes)

    async def cursor(self, stream: str) -> Cursor:
        return await self.view(stream).cursor(stream, self.origin(stream))

    async def wait_for_change(self, positions: Mapping[str, int], *, timeout_s: float) -> bool:
        for stream in positions:
            self._desk(stream)
        return await self.wakeups.wait(positions, timeout_s=timeout_s)

    async def in_conflict(self, stream: str, *, after: str, limit: int) -> list[Listed]:
        return await self.view(stream).in_conflict(stream, after=after, limit=limit)

    async def conflict_log(self, stream: str, *, after: Dot | None, limit: int) -> list[ConflictRecord]:
        return await self.view(stream).conflict_log(stream, after=after, limit=limit)

    async def value_of(self, stream: str, dot: Dot) -> bytes | None:
        return await self.view(stream).value_of(stream, dot)

    # Other stores

    async def receive(
        self, stream: str, operations: Sequence[Sealed], *, now: float, poison: Collection[Dot] = ()
    ) -> Receipt:
        ledger = self.ledger(stream)
        counts, problem = await self._turn(
            stream, lambda: arrivals.receive(ledger, stream, operations, now=now, poison=poison)
        )
        heads = await self.heads(stream)
        return Receipt(counts["applied"], counts["held"], counts["duplicate"], heads, problem)

    async def operations_after(
        self, stream: str, have: Mapping[str, int], *, max_operations: int, max_bytes: int
    ) -> list[Sealed]:
        return await self.view(stream).operations_after(
            stream, have, max_operations=max_operations, max_bytes=max_bytes
        )

    async def heads(self, stream: str) -> Heads:
        return await self.view(stream).heads(stream)

    async def acknowledge(self, stream: str, member: str, vector: VersionVector) -> None:
        await self.view(stream).acknowledge(stream, member, vector)

    async def acknowledged(self, stream: str) -> dict[str, VersionVector]:
        return await self.view(stream).acknowledged(stream)

    async def forget_member(self, stream: str, member: str) -> None:
        await self.view(stream).forget_member(stream, member)

    async def release_held(self, stream: str, *, now: float, sound: Sequence[Sealed] = ()) -> int:
        if not await self.held(stream, limit=1):
            return 0
        ledger = self.ledger(stream)
        return await self._turn(stream, lambda: arrivals.release(ledger, stream, now=now, sound=sound))

    async def skip_held(self, stream: str, dot: Dot) -> bool:
        ledger = self.ledger(stream)
        return await self._turn(stream, lambda: arrivals.skip(ledger, stream, dot))

    async def held(self, stream: str, *, limit: int, reason: str | None = None) -> list[HeldOperation]:
        return await self.view(stream).held(stream, limit=limit, reason=reason)

    async def logged(self, stream: str, dots: Sequence[Dot]) -> list[Sealed]:
        return await self.view(stream).logged(stream, dots)

    async def prune(self, stream: str, below: VersionVector, *, keep: int) -> int:
        ledger = self.ledger(stream)
        forgotten, start = 0, 0
        while True:

            def prune(start: int = start) -> Awaitable[tuple[int, int | None]]:
                return forgetting.prune(ledger, stream, below, keep=keep, start=start)

            count, going_on = await self._turn(stream, prune)
            forgotten += count
            if going_on is None:
                return forgotten
            start = going_on

    async def expire(self, *, conflicts_before_ms: int, now: float) -> None:
        """Forget conflict records and idempotency keys that are old enough."""
        for stream in self.streams():
            ledger = self.ledger(stream)

            def expire(ledger: Ledger = ledger, stream: str = stream) -> Awaitable[int]:
                return forgetting.expire_conflicts(ledger, stream, before_ms=conflicts_before_ms)

            while await self._turn(stream, expire):
                pass
        for desk in self._desks.values():

            def forget(ledger: Ledger = desk.ledger) -> Awaitable[None]:
                return forgetting.forget_keys(
                    ledger,
                    before_ms=int(now * 1000) - KEEP_KEYS_MS,
                    passing_before_ms=int(now * 1000) - KEEP_PASSING_MS,
                    at_most=MAX_KEYS,
                )

            await desk.alone(forget)

    async def renew_incarnation(self, stream: str, *, reason: str) -> str:
        """Of the whole class: what one of its streams forgot, the others may have forgotten too."""
        ledger = self.ledger(stream)
        return await self._turn(
            stream, lambda: ledger.renew(reason, lambda origin: next_incarnation(origin, ledger.chance))
        )

    async def stats(self, stream: str) -> StreamStats:
        return await self.view(stream).stats(stream)

    async def close(self) -> None:
        for desk in self._desks.values():
            await desk.close()
        await self._note_versions()
        self._server.close()

    # Comparing and copying

    async def digests(self, stream: str, ranges: Sequence[KeyRange]) -> Digests:
        return await copies.digests(self.view(stream), stream, ranges)

    async def split(self, stream: str, within: KeyRange, *, pieces: int) -> list[str]:
        return await copies.split(self.view(stream), stream, within, pieces=pieces)

    async def page(self, stream: str, within: KeyRange, *, limit: int, max_bytes: int) -> Page:
        return await copies.page(self.view(stream), stream, within, limit=limit, max_bytes=max_bytes)

    async def absorb(self, stream: str, page: Page, within: KeyRange, *, purpose: Purpose, now: float) -> Absorbed:
        ledger = self.ledger(stream)
        return await self._turn(
            stream, lambda: absorbing.absorb(ledger, stream, page, within, purpose=purpose, now=now)
        )

    async def take_losses(self, stream: str, losses: Sequence[KnownLoss], *, now: float) -> int:
        ledger = self.ledger(stream)
        return await self._turn(stream, lambda: absorbing.take_losses(ledger, stream, losses, now=now))

    async def base(self, stream: str) -> Base:
        return await copies.base(self.view(stream), stream)

    async def adopt(self, stream: str, base: Base, *, horizon: VersionVector) -> None:
        ledger = self.ledger(stream)
        await self._turn(stream, lambda: absorbing.adopt(ledger, stream, base, horizon))

    async def remembered(self, stream: str, after: OpId | None, *, limit: int) -> list[tuple[OpId, Done]]:
        return await copies.remembered(self.view(stream), after, limit=limit)

    async def remember(self, stream: str, done: Sequence[tuple[OpId, Done]], *, now: float) -> None:
        ledger = self.ledger(stream)
        await self._turn(stream, lambda: absorbing.remember(ledger, dict(done), now=now))

    async def note(self, stream: str, name: str, value: bytes | None) -> None:
        await self.view(stream).note(stream, name, value)

    async def notes(self, stream: str) -> dict[str, bytes]:
        return await self.view(stream).notes(stream)

    # Inside

    def _class(self, stream: str) -> str:
        plan = self._plans.get(stream)
        if plan is None:
            raise UnknownStream(f"no collection {stream}")
        name = plan.residency_class
        if name not in self._desks:
            raise UnknownStream(f"collection {stream} is not kept in this region")
        if name not in self._views:
            raise StoreUnavailable(self._faults.get(name, "the database was not reached yet"))
        return name

    def _desk(self, stream: str) -> Desk:
        return self._desks[self._class(stream)]

    def view(self, stream: str) -> Views:
        """Its class's readers. Raises StoreUnavailable before that was opened, and UnknownStream."""
        return self._views[self._class(stream)]

    async def _turn(self, stream: str, work: Callable[[], Awaitable[Answer]]) -> Answer:
        return await self._desk(stream).alone(work)


async def _nothing() -> None:
    """A turn in which the class is opened, and no more."""


def open_store(
    dsn: str,
    folder: Path,
    *,
    region: str,
    plans: Mapping[str, CollectionPlan],
    data_keys: Sequence[bytes],
    max_skew_s: float,
    max_conflict_bytes: int,
    report: Callable[..., None],
    chance: Callable[[int], bytes] = os.urandom,
    now: Callable[[], float] = time.monotonic,
    answer_s: float = ANSWER_S,
    prefix: str = PREFIX,
) -> PostgresStore:
    """The store of every class that this region keeps. `folder`: where this node remembers what it has opened.

    `report(message, **facts)` logs what people should know; `now` is monotonic seconds; `answer_s`: how long the
    database may take for anything; `prefix`: of its schemas. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    server = Server(dsn, now=now, answer_s=answer_s, prefix=prefix)
    store = PostgresStore(server, plans, report=report)
    for name in sorted({plan.residency_class for plan in plans.values() if plan.is_here}):
        mine = {plan.name: plan for plan in plans.values() if plan.residency_class == name and plan.is_here}
        is_encrypted = any(plan.is_encrypted for plan in mine.values())
        store.add(
            Ledger(
                server,
                name,
                region=region,
                plans=mine,
                clock=Clock(max_skew_s=max_skew_s),
                cipher=Cipher(name, data_keys, encrypts=is_encrypted, chance=chance),
                companion=folder / f"{name}.postgres",
                chance=chance,
                max_conflict_bytes=max_conflict_bytes,
                report=report,
            )
        )
    return store
