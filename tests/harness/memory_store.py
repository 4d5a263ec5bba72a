"""A store in memory around the very batches that real stores run, on a disk that may be full, slow, or a liar.

`Disk` holds committed transactions. `MemoryStore(disk)` starts from what the disk kept, so a crash is a new store on
the same disk: `disk.lose_unsynced()` first is a power loss, without it a kill -9. One writer at a time, as in SQLite.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from sync.core.absorbing import AbsorbBatch, Absorbed, Entry, Page, Purpose, dots_of
from sync.core.arrivals import ArrivalBatch, applied_vector, operation_dot, readable_heads
from sync.core.clock import Clock
from sync.core.digests import KeyRange, added, key_digest
from sync.core.dots import Dot, VersionVector, covers, joined, origin_name
from sync.core.forgetting import Candidate, forget
from sync.core.local_batch import Appended, Head, LocalBatch
from sync.core.loss_log import KnownLoss, recordable
from sync.core.op_ids import Done, OpId
from sync.core.operation import Operation, Sealed
from sync.core.plans import CollectionPlan
from sync.core.policy import Loss
from sync.core.reconciling import Side
from sync.core.versions import EMPTY, KeyState, Version
from sync.core.writes import Refusal, Write, Written
from sync.errors import CursorExpired, StoreFull, StoreUnavailable, UnknownStream
from sync.store import (
    Base,
    Body,
    Change,
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


@dataclass
class _Stream:
    """Everything of one stream that a transaction changes."""

    origin: str
    heads: dict[str, Head] = field(default_factory=dict)
    states: dict[str, KeyState] = field(default_factory=dict)
    log: list[Appended] = field(default_factory=list)
    """In the order in which they came."""
    feed: list[Appended] = field(default_factory=list)
    """In the order in which they were applied."""
    held: list[tuple[Appended, str, float | None]] = field(default_factory=list)
    done: dict[OpId, Done] = field(default_factory=dict)
    highest: dict[str, int] = field(default_factory=dict)
    losses: dict[Dot, tuple[str, Loss]] = field(default_factory=dict)
    acknowledged: dict[str, VersionVector] = field(default_factory=dict)
    clock: int = 0
    pruned: VersionVector = field(default_factory=dict)
    horizon: VersionVector = field(default_factory=dict)
    notes: dict[str, bytes] = field(default_factory=dict)

    def waiting(self) -> list[tuple[Appended, str, float | None]]:
        """What is held, and not skipped."""
        return [entry for entry in self.held if entry[1] != "skipped"]

    def make_whole(self, sound: Iterable[Appended]) -> None:
        """Rows of what is quarantined, where it has come by another way."""
        by_dot = {operation_dot(one.operation): one for one in sound}
        self.log = [one if one.sealed.salt else by_dot.get(operation_dot(one.operation), one) for one in self.log]

    def fed(self) -> set[Dot]:
        return {(one.operation.origin, one.operation.seq) for one in self.feed}

    def logged(self) -> dict[Dot, Appended]:
        return {(one.operation.origin, one.operation.seq): one for one in self.log}


class Disk:
    """What one store has committed. Everything committed is synced, unless the disk lies."""

    def __init__(self) -> None:
        self.archive: dict[str, dict[Dot, Operation]] = {}
        """All that was ever committed, on this disk or its images, by stream: for those who judge, not for stores."""
        self.is_full = False
        self.sync_s = 0.0
        """How long a commit takes to be durable; nobody sees it before."""
        self.streams: dict[str, _Stream] = {}
        self._synced: dict[str, _Stream] | None = None

    def lie(self) -> None:
        """Claim syncs from now on without doing them: a planted fault."""
        self._synced = {name: _copied(stream) for name, stream in self.streams.items()}

    def lose_unsynced(self) -> None:
        """A power loss."""
        if self._synced is not None:
            self.streams = {name: _copied(stream) for name, stream in self._synced.items()}

    def image(self) -> Disk:
        """A backup, as of now."""
        other = Disk()
        other.archive = self.archive
        other.streams = {name: _copied(stream) for name, stream in self.streams.items()}
        return other


def _copied(stream: _Stream) -> _Stream:
    return _Stream(
        stream.origin,
        {origin: Head(head.seq, head.digest) for origin, head in stream.heads.items()},
        dict(stream.states),
        list(stream.log),
        list(stream.feed),
        list(stream.held),
        dict(stream.done),
        dict(stream.highest),
        dict(stream.losses),
        copy.copy(stream.acknowledged),
        stream.clock,
        stream.pruned,
        stream.horizon,
        dict(stream.notes),
    )


class MemoryStore:
    """One store of all its streams. Chance (salts, incarnations) comes from `seed`, so that runs repeat."""

    def __init__(
        self,
        plans: Mapping[str, CollectionPlan],
        *,
        region: str,
        name: str,
        seed: str,
        disk: Disk,
        max_skew_s: float = 0.5,
    ) -> None:
        self._plans = plans
        self._region = region
        self._name = name
        self._seed = seed
        self._drawn = 0
        self.disk = disk
        self._max_skew_s = max_skew_s
        self.wakeups = Wakeups()
        self._known_heads: dict[str, Heads] = {}
        """By stream, until something is committed: asked for much more often than it changes."""
        self._writing = asyncio.Lock()
        self._is_dead = False
        self.renewals: list[tuple[str, str]] = []
        for stream in plans:
            if stream not in disk.streams:
                disk.streams[stream] = _Stream(self._fresh_origin())

    def die(self) -> None:
        """As by kill -9: nothing is committed any more, whoever waits for an answer gets none."""
        self._is_dead = True

    # Names

    def origin(self, stream: str) -> str:
        return self._of(stream).origin

    def streams(self) -> Sequence[str]:
        return list(self._plans)

    def _of(self, stream: str) -> _Stream:
        if stream not in self._plans:
            raise UnknownStream(f"{stream!r}, expected one of {', '.join(self._plans)}")
        return self.disk.streams[stream]

    def _draw(self) -> str:
        self._drawn += 1
        return hashlib.sha256(f"{self._seed} {self._drawn}".encode()).hexdigest()

    def _fresh_origin(self) -> str:
        return origin_name(self._region, self._name, self._draw()[:8])

    def _clock(self, stream: _Stream) -> Clock:
        last = max(each.clock for each in self.disk.streams.values())
        return Clock(max_skew_s=self._max_skew_s, last=max(last, stream.clock))

    def _archive(self, stream: str, appended: Iterable[Appended]) -> None:
        of = self.disk.archive.setdefault(stream, {})
        of.update({(one.operation.origin, one.operation.seq): one.operation for one in appended})

    async def _commit(self, change: Callable[[], None]) -> None:
        if self.disk.is_full:
            raise StoreFull("no space left, expected room for one batch")
        if self.disk.sync_s:
            await asyncio.sleep(self.disk.sync_s)
        if self._is_dead:
            raise StoreUnavailable("the process died, expected an answer")
        change()
        self._known_heads.clear()
        self.wakeups.moved({stream: len(self.disk.streams[stream].feed) for stream in self._plans})

    # Clients

    async def write(self, writes: Sequence[Write], *, now: float) -> list[Written | Refusal]:
        results: list[Written | Refusal] = []
        for write in writes:
            async with self._writing:
                results.append(await self._write(write, now=now))
        return results

    async def _write(self, write: Write, *, now: float) -> Written | Refusal:
        name, stream = write.stream, self._of(write.stream)
        own = stream.heads.get(stream.origin, Head())
        body = await self._body(name, write.key)
        batch = LocalBatch(
            origin=stream.origin,
            clock=self._clock(stream),
            plans=self._plans,
            heads={name: Head(own.seq, own.digest)},
            states={(name, write.key): stream.states.get(write.key, EMPTY)},
            done=dict(stream.done),
            highest=dict(stream.highest),
            bodies={} if body is None else {(name, write.key): body},
        )
        result = batch.take(write, salt=bytes.fromhex(self._draw())[:16], now=now)

        def change() -> None:
            stream.heads[stream.origin] = batch.heads[name]
            self._archive(name, batch.appended)
            stream.log.extend(batch.appended)
            stream.feed.extend(batch.appended)
            stream.states.update({key: state for (_, key), state in batch.changed.items()})
            stream.losses.update({loss.loser.dot: (key, loss) for _, key, loss in batch.losses})
            stream.done.update(batch.newly_done)
            stream.highest.update(batch.highest)
            stream.clock = batch.clock.last

        if batch.appended:
            await self._commit(change)
        return result

    async def _body(self, stream: str, key: str) -> bytes | None:
        live = [version for version in self._of(stream).states.get(key, EMPTY).versions if not version.is_deleted]
        return await self.value_of(stream, live[0].dot) if len(live) == 1 else None

    async def read(self, stream: str, key: str) -> Record | None:
        state = self._of(stream).states.get(key)
        if state is None:
            return None
        bodies = [
            Body(version, await self.value_of(stream, version.dot))
            for version in state.versions
            if not version.is_deleted
        ]
        return Record(key, state, tuple(bodies))

    async def list_keys(self, stream: str, *, prefix: str, after: str, limit: int) -> list[Listed]:
        found = [
            Listed(key, state)
            for key, state in self._sorted(stream)
            if key.startswith(prefix) and key.encode() > after.encode() and state.is_live
        ]
        return found[:limit]

    def _sorted(self, stream: str) -> list[tuple[str, KeyState]]:
        return sorted(self._of(stream).states.items(), key=lambda item: item[0].encode())

    async def changes(self, stream: str, since: Cursor | None, *, limit: int, max_bytes: int) -> Changes:
        of = self._of(stream)
        start = since.position if since is not None and since.origin == of.origin else 0
        page = of.feed[start : start + limit]
        changes = tuple(
            Change(
                start + index + 1,
                one.operation,
                one.digest[:8],
                None if one.operation.is_delete else one.sealed.value,
                any((one.operation.origin, one.operation.seq) in version.dots for version in self._versions(of, one)),
                f"{one.operation.seq}@{one.operation.origin}",
            )
            for index, one in enumerate(page)
        )
        return Changes(changes, Cursor(stream, of.origin, start + len(page), self._applied(of)))

    @staticmethod
    def _versions(of: _Stream, one: Appended) -> tuple[Version, ...]:
        return of.states.get(one.operation.key, EMPTY).versions

    def applied(self, stream: str) -> VersionVector:
        """What `heads` would say."""
        return dict(self._applied(self._of(stream)))

    async def cursor(self, stream: str) -> Cursor:
        of = self._of(stream)
        return Cursor(stream, of.origin, len(of.feed), self._applied(of))

    async def wait_for_change(self, positions: Mapping[str, int], *, timeout_s: float) -> bool:
        return await self.wakeups.wait(positions, timeout_s=timeout_s)

    async def in_conflict(self, stream: str, *, after: str, limit: int) -> list[Listed]:
        found = [Listed(key, state) for key, state in self._sorted(stream) if state.is_conflicted and key > after]
        return found[:limit]

    async def conflict_log(self, stream: str, *, after: Dot | None, limit: int) -> list[ConflictRecord]:
        records = [
            ConflictRecord(key, loss.loser, loss.winner.dot, 0)
            for dot, (key, loss) in sorted(self._of(stream).losses.items())
            if after is None or dot > after
        ]
        return records[:limit]

    async def value_of(self, stream: str, dot: Dot) -> bytes | None:
        for one in self._of(stream).log:
            if (one.operation.origin, one.operation.seq) == dot:
                return one.sealed.value
        return None

    # Other stores

    async def receive(
        self, stream: str, operations: Sequence[Sealed], *, now: float, poison: Collection[Dot] = ()
    ) -> Receipt:
        async with self._writing:
            return await self._receive(stream, operations, now, poison)

    async def _receive(self, stream: str, operations: Sequence[Sealed], now: float, poison: Collection[Dot]) -> Receipt:
        of = self._of(stream)
        batch = self._arrivals(stream, of)
        counts, problem = batch.take_all(operations, now=now, poison=poison)
        if batch.appended or batch.held:
            await self._commit(lambda: self._take_over(of, batch))
        return Receipt(counts["applied"], counts["held"], counts["duplicate"], await self.heads(stream), problem)

    def _arrivals(self, name: str, of: _Stream) -> ArrivalBatch:
        return ArrivalBatch(
            stream=name,
            own_origin=of.origin,
            clock=self._clock(of),
            plan=self._plans[name],
            heads={origin: Head(head.seq, head.digest) for origin, head in of.heads.items()},
            states=dict(of.states),
            held_keys={(one.operation.origin, one.operation.key) for one, _, _ in of.waiting()},
            done=dict(of.done),
        )

    def _take_over(self, of: _Stream, batch: ArrivalBatch) -> None:
        self._archive(batch.stream, (*batch.appended, *(held.appended for held in batch.held)))
        of.heads = batch.heads
        of.states.update(batch.changed)
        known = {(one.operation.origin, one.operation.seq) for one in of.log}
        fresh = [*batch.appended, *(held.appended for held in batch.held)]
        of.log.extend(one for one in fresh if (one.operation.origin, one.operation.seq) not in known)
        of.feed.extend(one for one in batch.appended if (one.operation.origin, one.operation.seq) not in of.fed())
        of.held.extend((held.appended, held.reason, held.visible_at) for held in batch.held)
        of.losses.update({loss.loser.dot: (key, loss) for key, loss in batch.losses})
        of.done.update(batch.newly_done)
        of.clock = batch.clock.last

    async def operations_after(
        self, stream: str, have: Mapping[str, int], *, max_operations: int, max_bytes: int
    ) -> list[Sealed]:
        of = self._of(stream)
        for origin, head in of.heads.items():
            start = have.get(origin, 0)
            if start < head.seq and start < of.pruned.get(origin, 0):
                raise CursorExpired(f"operations of {origin} up to {of.pruned[origin]} are forgotten; take a snapshot")
        missing = sorted(
            (one for one in of.log if have.get(one.operation.origin, 0) < one.operation.seq <= _head(of, one)),
            key=lambda one: (one.operation.origin, one.operation.seq),
        )
        found: list[Sealed] = []
        size = 0
        for one in missing[:max_operations]:
            size += one.sealed.size()
            if found and size > max_bytes:
                break
            found.append(one.sealed)
        return found

    async def heads(self, stream: str) -> Heads:
        of, known = self._of(stream), self._known_heads.get(stream)
        if known is None:
            received = {origin: head.seq for origin, head in of.heads.items() if head.seq}
            digests = {origin: head.digest for origin, head in of.heads.items()}
            known = self._known_heads[stream] = Heads(received, self._applied(of), digests)
        return known

    @staticmethod
    def _applied(of: _Stream) -> VersionVector:
        held: dict[str, int] = {}
        for one, _, _ in of.waiting():
            origin, seq = one.operation.origin, one.operation.seq
            held[origin] = min(seq, held.get(origin, seq))
        return applied_vector({origin: head.seq for origin, head in of.heads.items()}, held)

    async def acknowledge(self, stream: str, member: str, vector: VersionVector) -> None:
        if self.disk.is_full:
            raise StoreFull("no space left, expected room for one row")
        acknowledged = self._of(stream).acknowledged
        acknowledged[member] = joined(acknowledged.get(member, {}), vector)

    async def acknowledged(self, stream: str) -> dict[str, VersionVector]:
        return dict(self._of(stream).acknowledged)

    async def release_held(self, stream: str, *, now: float, sound: Sequence[Sealed] = ()) -> int:
        async with self._writing:
            return await self._release(stream, now, sound)

    async def _release(self, stream: str, now: float, sound: Sequence[Sealed]) -> int:
        of = self._of(stream)
        if not of.waiting():
            return 0
        batch = self._arrivals(stream, of)
        of.held.sort(key=lambda entry: (entry[0].operation.origin, entry[0].operation.seq))
        copies = dict(zip(map(operation_dot, readable_heads(sound)), sound, strict=False))
        batch.release_all([(one, reason) for one, reason, _ in of.waiting()], now=now, sound=copies)
        mended = {
            operation_dot(one.operation): one for one in (*batch.appended, *(held.appended for held in batch.held))
        }
        waiting = [entry for entry in of.held if operation_dot(entry[0].operation) not in mended]

        def change() -> None:
            of.held = waiting
            of.log = [mended.get(operation_dot(one.operation), one) for one in of.log]
            self._take_over(of, batch)

        if mended:
            await self._commit(change)
        return len(batch.appended)

    async def skip_held(self, stream: str, dot: Dot) -> bool:
        of = self._of(stream)
        at = [(operation_dot(one.operation), reason) for one, reason, _ in of.held]
        if (dot, "quarantined") not in at:
            return False
        place = at.index((dot, "quarantined"))

        def change() -> None:
            of.held[place] = (of.held[place][0], "skipped", None)

        async with self._writing:
            await self._commit(change)
        return True

    async def held(self, stream: str, *, limit: int, reason: str | None = None) -> list[HeldOperation]:
        entries = [entry for entry in self._of(stream).waiting() if reason in {None, entry[1]}]
        return [HeldOperation(one.operation, why, visible_at) for one, why, visible_at in entries[:limit]]

    async def logged(self, stream: str, dots: Sequence[Dot]) -> list[Sealed]:
        held = {operation_dot(one.operation) for one, _, _ in self._of(stream).held}
        known = self._of(stream).logged()
        return [known[dot].sealed for dot in dots if dot in known and dot not in held and known[dot].sealed.salt]

    async def forget_member(self, stream: str, member: str) -> None:
        self._of(stream).acknowledged.pop(member, None)

    async def prune(self, stream: str, below: VersionVector, *, keep: int) -> int:
        async with self._writing:
            return await self._prune(self._of(stream), below, keep)

    async def _prune(self, of: _Stream, below: VersionVector, keep: int) -> int:
        live = {
            dot
            for state in of.states.values()
            for version in state.versions
            if not version.is_deleted
            for dot in version.dots
        }
        places = {(one.operation.origin, one.operation.seq): at for at, one in enumerate(of.feed, 1)}
        last = len(of.feed) - keep
        candidates = [
            Candidate(0, *dot, one.operation.key, places.get(dot, 0), 0)
            for dot, one in of.logged().items()
            if dot not in live and covers(below, *dot) and places.get(dot, 0) <= last
        ]
        found = forget(
            candidates,
            of.states,
            set(of.losses),
            below=below,
            last_position=last,
            pruned=of.pruned,
            horizon=of.horizon,
        )
        going = {
            (one.origin, one.seq) for one in candidates if one.position in found.positions and one.position is not None
        }

        def change() -> None:
            for key in found.keys:
                of.states.pop(key, None)
            of.pruned, of.horizon = found.pruned, found.horizon
            of.log = [one for one in of.log if (one.operation.origin, one.operation.seq) not in going]

        if found.positions:
            await self._commit(change)
        return found.count

    # Comparing and copying

    async def digests(self, stream: str, ranges: Sequence[KeyRange]) -> Digests:
        of = self._of(stream)
        found = tuple(
            added(key_digest(key, state) for key, state in of.states.items() if one.holds(key)) for one in ranges
        )
        return Digests(self._applied(of), of.horizon, found)

    async def split(self, stream: str, within: KeyRange, *, pieces: int) -> list[str]:
        keys = [key for key, state in self._sorted(stream) if state.is_live and within.holds(key)]
        step = max(1, -(-len(keys) // pieces))
        return keys[step - 1 : -1 : step]

    async def page(self, stream: str, within: KeyRange, *, limit: int, max_bytes: int) -> Page:
        of, logged = self._of(stream), self._of(stream).logged()
        entries: list[Entry] = []
        size = 0
        for key, state in self._sorted(stream):
            if not within.holds(key):
                continue
            sealed = tuple(logged[version.dot].sealed for version in state.versions)
            also = [dot for version in state.versions for dot in version.also]
            aliases = tuple(logged[dot].sealed for dot in also if dot in logged)
            size += sum(one.size() for one in (*sealed, *aliases))
            if entries and (len(entries) >= limit or size > max_bytes):
                return Page(self._applied(of), of.horizon, tuple(entries), entries[-1].key)
            entries.append(Entry(key, state, sealed, aliases))
        return Page(self._applied(of), of.horizon, tuple(entries), None)

    async def absorb(self, stream: str, page: Page, within: KeyRange, *, purpose: Purpose, now: float) -> Absorbed:
        async with self._writing:
            return await self._absorb(stream, page, within, purpose, now)

    async def _absorb(self, stream: str, page: Page, within: KeyRange, purpose: Purpose, now: float) -> Absorbed:
        of = self._of(stream)
        clock = self._clock(of)
        states = {key: state for key, state in of.states.items() if within.holds(key)}
        logged = of.logged()
        there = dots_of((*states.values(), *(entry.state for entry in page.entries)))
        batch = AbsorbBatch(
            stream=stream,
            purpose=purpose,
            plan=self._plans[stream],
            clock=clock,
            mine=Side(self._applied(of), of.horizon),
            states=states,
            read={dot: logged[dot].operation.vector() for dot in there if dot in logged},
            done=dict(of.done),
        )
        batch.take(page, within, now=now)

        def change() -> None:
            known = of.logged()
            fresh = [one for one in batch.needed if (one.operation.origin, one.operation.seq) not in known]
            of.make_whole(batch.needed)
            self._archive(stream, batch.needed)
            of.log.extend(fresh)
            fed = of.fed()
            of.feed.extend(one for one in batch.needed if operation_dot(one.operation) not in fed)
            for key, state in batch.changed.items():
                if state.versions:
                    of.states[key] = state
                else:
                    of.states.pop(key, None)
            of.losses.update({loss.loser.dot: (key, loss) for key, loss in batch.losses})
            of.clock = clock.last

        if batch.changed or batch.losses:
            await self._commit(change)
        return Absorbed(tuple(batch.repaired), batch.suspected, len(batch.changed), batch.damaged)

    async def take_losses(self, stream: str, losses: Sequence[KnownLoss], *, now: float) -> int:
        of = self._of(stream)
        async with self._writing:
            found = recordable(stream, losses, of.states, room=1 << 30)
            versions = {one.loser.dot: one.loser for one in losses}

            def change() -> None:
                of.make_whole(one.appended for one in found)
                known, fed = of.logged(), of.fed()
                for record, _, appended in found:
                    self._archive(stream, [appended])
                    if record.loser not in known:
                        of.log.append(appended)
                    if record.loser not in fed:
                        of.feed.append(appended)
                    loser = versions[record.loser]
                    winner = msgspec.structs.replace(loser, origin=record.winner[0], seq=record.winner[1])
                    of.losses.setdefault(record.loser, (record.key, Loss(loser, winner)))

            if found:
                await self._commit(change)
            return len(found)

    async def base(self, stream: str) -> Base:
        of = self._of(stream)
        base: Base = {}
        for origin, seq in self._applied(of).items():
            head = of.heads[origin]
            if head.seq == seq:
                base[origin] = (seq, head.digest)
            else:
                base[origin] = (seq, of.logged()[origin, seq + 1].operation.previous)
        return base

    async def adopt(self, stream: str, base: Base, *, horizon: VersionVector) -> None:
        of = self._of(stream)

        def change() -> None:
            for origin, (seq, digest) in base.items():
                if seq > of.heads.get(origin, Head()).seq:
                    of.heads[origin] = Head(seq, digest)
                    of.pruned = joined(of.pruned, {origin: seq})
            passed = [entry for entry in of.held if entry[0].operation.seq <= base.get(_origin(entry), (0, b""))[0]]
            gone = {operation_dot(entry[0].operation) for entry in passed} - of.fed()
            of.held = [entry for entry in of.held if entry not in passed]
            of.log = [one for one in of.log if operation_dot(one.operation) not in gone]
            of.horizon = joined(of.horizon, horizon)

        async with self._writing:
            await self._commit(change)

    async def remembered(self, stream: str, after: OpId | None, *, limit: int) -> list[tuple[OpId, Done]]:
        bounds = ("", 0) if after is None else (after.client, after.sequence)
        done = sorted(self._of(stream).done.items(), key=lambda item: (item[0].client, item[0].sequence))
        return [(op_id, one) for op_id, one in done if (op_id.client, op_id.sequence) > bounds][:limit]

    async def remember(self, stream: str, done: Sequence[tuple[OpId, Done]], *, now: float) -> None:
        of = self._of(stream)

        def change() -> None:
            for op_id, one in done:
                if (had := of.done.get(op_id)) is None or had.request == one.request:
                    of.done[op_id] = one
                of.highest[op_id.client] = max(of.highest.get(op_id.client, 0), op_id.sequence)

        async with self._writing:
            await self._commit(change)

    async def note(self, stream: str, name: str, value: bytes | None) -> None:
        of = self._of(stream)

        def change() -> None:
            if value is None:
                of.notes.pop(name, None)
            else:
                of.notes[name] = value

        async with self._writing:
            await self._commit(change)

    async def notes(self, stream: str) -> dict[str, bytes]:
        return dict(self._of(stream).notes)

    async def renew_incarnation(self, stream: str, *, reason: str) -> str:
        of = self._of(stream)
        fresh = self._fresh_origin()

        def change() -> None:
            of.origin = fresh

        async with self._writing:
            await self._commit(change)
        self.renewals.append((stream, reason))
        return fresh

    async def stats(self, stream: str) -> StreamStats:
        of = self._of(stream)
        return StreamStats(
            keys=sum(state.is_live for state in of.states.values()),
            tombstones=sum(not state.is_live for state in of.states.values()),
            in_conflict=sum(state.is_conflicted for state in of.states.values()),
            log_operations=len(of.log),
            log_bytes=sum(one.sealed.size() for one in of.log),
            conflict_records=len(of.losses),
            conflict_bytes=0,
            held=len(of.waiting()),
            quarantined=sum(reason == "quarantined" for _, reason, _ in of.held),
        )

    async def close(self) -> None:
        return None


def _head(of: _Stream, one: Appended) -> int:
    return of.heads.get(one.operation.origin, Head()).seq


def _origin(entry: tuple[Appended, str, float | None]) -> str:
    return entry[0].operation.origin
