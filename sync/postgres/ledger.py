"""The one writer of a class in this process: every batch is judged by the pure core and committed by one statement.

    write(asked)          local writes of many callers, together: one LocalBatch, one commit
    receive(operations)   a peer's batch: one ArrivalBatch            (sync/postgres/arrivals.py)
    prune, expire ...     forgetting                                  (sync/postgres/forgetting.py)

A batch is judged on what this writer remembers of the class at one version, and on rows fetched for it; it commits only
if that version is still the class's. Where another node has committed meanwhile it is judged again, this time holding
the lock, so that it is its turn. What is remembered is dropped on any failure, and read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from sync.cipher import Cipher
from sync.companion import confirm_opening
from sync.core.aftermath import Place
from sync.core.clock import Clock
from sync.core.dots import VersionVector
from sync.core.local_batch import LocalBatch
from sync.core.op_ids import OpId
from sync.core.operation import SALT_BYTES
from sync.core.plans import CollectionPlan
from sync.core.versions import EMPTY, KeyState
from sync.core.writes import Refusal, Write, Written
from sync.errors import StoreUnavailable
from sync.postgres import lineage, schema
from sync.postgres.commit import STATEMENT
from sync.postgres.draft import Draft, Known
from sync.postgres.fetching import FETCH, Fetched, fetch, read_known
from sync.postgres.server import Connection, Server, guarded

LARGE: Final = 32
"""Operations from which on a batch is judged on a thread: the loop stays free for everybody else's."""

Answer = TypeVar("Answer")

_decode_vector: Final = msgspec.msgpack.Decoder(dict[str, int]).decode


class Ledger:
    """The write side of one class. Not for several callers at once: a desk gives them their turns."""

    def __init__(
        self,
        server: Server,
        residency_class: str,
        *,
        region: str,
        plans: Mapping[str, CollectionPlan],
        clock: Clock,
        cipher: Cipher,
        companion: Path,
        chance: Callable[[int], bytes],
        max_conflict_bytes: int,
        report: Callable[..., None],
    ) -> None:
        self.residency_class = residency_class
        self.schema = schema.schema_of(residency_class, server.prefix)
        self.plans = plans
        self.clock = clock
        self.cipher = cipher
        self.chance = chance
        self.origin = ""
        """Empty before the class was opened for the first time."""
        self.on_commit: Callable[[Mapping[str, int]], None] = lambda _: None
        """Told the feed's new last positions, by stream, after they are durable."""
        self._server = server
        self._region = region
        self._companion = companion
        self.max_conflict_bytes = max_conflict_bytes
        self._report = report
        self._connection: Connection | None = None
        self._known: Known | None = None
        self._committed = self._remembered = 0
        """Versions: the last that is known to be durable, and what is noted beside the data."""
        self._fetch = self.named(FETCH)
        self._commit = self.named(STATEMENT)

    def named(self, text: str) -> str:
        return schema.named(self.schema, text)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()

    async def remember(self) -> None:
        """Note beside the data how far it has come. Raises OSError."""
        version = self._committed
        if version > self._remembered:
            await asyncio.to_thread(confirm_opening, self._companion, version)
            self._remembered = version

    # Turns

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[Connection]:
        """The writer's connection, for one bounded piece of work; what fails drops what is remembered."""
        try:
            async with asyncio.timeout(self._server.answer_s):
                connection = await self._connected()
                async with guarded(connection):
                    yield connection
        except TimeoutError:
            self._known = None
            raise StoreUnavailable(f"the database did not answer within {self._server.answer_s:g} s") from None
        except BaseException:
            self._known = None
            raise

    async def open(self) -> None:
        """Be sure that the class can be written. Raises StoreUnavailable."""
        async with self._bounded():
            pass

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._known = None
            connection = await self._server.connect()
            try:
                async with guarded(connection):
                    await self._identified(connection)
            except BaseException:
                connection.terminate()
                raise
            self._connection = connection
        return self._connection

    async def _identified(self, connection: Connection) -> None:
        async with connection.transaction():
            await schema.prepare(connection, self.schema, shared=self._server.prefix)
            found = await lineage.identify(
                connection,
                self.schema,
                self._companion,
                shared=self._server.prefix,
                region=self._region,
                chance=self.chance,
            )
        try:
            await asyncio.to_thread(confirm_opening, self._companion, found.version)
        except OSError as error:
            raise StoreUnavailable(f"{self._companion.parent} cannot be written: {error}") from error
        if found.why:
            self._report("a new incarnation of a store", schema=self.schema, origin=found.origin, because=found.why)
        async with self.exclusive_on(connection) as known:
            draft = Draft(known)
            for stream in self.plans:
                draft.stream_id(stream)
            await self._put(connection, draft)
        await self._mind_encryption(connection)

    @asynccontextmanager
    async def exclusive_on(self, connection: Connection) -> AsyncIterator[Known]:
        """A transaction that holds the class: nobody else commits before it ends."""
        async with connection.transaction():
            known = await self._reload(connection, lock=True)
            yield known

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[tuple[Connection, Known]]:
        """The same, for work of several statements; what they change counts as one new version."""
        async with self._bounded() as connection:
            async with self.exclusive_on(connection) as known:
                yield connection, known
                await connection.execute(self.named("UPDATE @meta SET version = version + 1"))
            self._known = None

    async def attempt(self, judge: Callable[[Connection, Known], Awaitable[tuple[Draft, Answer]]]) -> Answer:
        """Judge a batch and commit it; judged again when somebody else has committed meanwhile."""
        async with self._bounded() as connection:
            known = self._known or await self._reload(connection, lock=False)
            draft, answer = await judge(connection, known)
            if not await self._put(connection, draft):
                async with self.exclusive_on(connection) as known:
                    draft, answer = await judge(connection, known)
                    if not await self._put(connection, draft):
                        raise StoreUnavailable("the class changed under its own lock")
            if draft.positions:
                self.on_commit(draft.positions)
            return answer

    async def _put(self, connection: Connection, draft: Draft) -> bool:
        """Commit; False, and nothing done, when it was judged on what is true no longer."""
        rows = draft.finished()
        if rows.is_empty():
            # What was refused, or known already, must have been so on what is true now.
            version = await connection.fetchval(self.named("SELECT version FROM @meta"))
            return bool(version == draft.known.version)
        row = await connection.fetchrow(
            self._commit, draft.known.version, self.clock.last, draft.position, *rows.arguments()
        )
        if row is None or not row["committed"]:
            self._known = None
            return False
        self._take_over(draft, row["conflict_bytes"], in_block=connection.is_in_transaction())
        return True

    def _take_over(self, draft: Draft, conflict_bytes: int, *, in_block: bool) -> None:
        known = draft.known
        known.version += 1
        if not in_block:
            self._committed = known.version
        known.position = draft.position
        known.streams.update(draft.new_streams)
        known.origins.update(draft.new_origins)
        known.conflict_bytes += conflict_bytes
        for (stream, origin), head in draft.heads.items():
            known.heads.setdefault(stream, {})[origin] = head
        self._known = None if draft.is_forgetful else known

    async def _reload(self, connection: Connection, *, lock: bool) -> Known:
        """Take up what the database says."""
        self._known = None
        known = await read_known(connection, self.named, self.plans, lock=lock)
        self.origin = known.origin
        self.clock.last = max(self.clock.last, known.clock)
        self._known = known
        return known

    # Local writes

    async def write(self, asked: Sequence[tuple[Write, float]]) -> list[Written | Refusal]:
        """Judge and commit, in order. Each write comes with its own `now`."""

        async def judge(connection: Connection, known: Known) -> tuple[Draft, list[Written | Refusal]]:
            writes = [write for write, _ in asked]
            op_ids = {write.op_id for write in writes if write.op_id is not None}
            fetched = await self.fetch(connection, known, {(write.stream, write.key) for write in writes}, op_ids)
            bodies = await self._bodies(connection, known, writes, fetched.states)
            return await judged(len(asked), lambda: self._judge_writes(known, asked, fetched, bodies))

        return await self.attempt(judge)

    def _judge_writes(
        self, known: Known, asked: Sequence[tuple[Write, float]], fetched: Fetched, bodies: dict[Place, bytes]
    ) -> tuple[Draft, list[Written | Refusal]]:
        batch = LocalBatch(
            origin=known.origin,
            clock=self.clock,
            plans=self.plans,
            heads=known.own_heads(),
            states=dict(fetched.states),
            done=fetched.done,
            highest=fetched.highest,
            bodies=bodies,
            has_conflict_room=known.conflict_bytes < self.max_conflict_bytes,
        )
        salts = self.chance(SALT_BYTES * len(asked))
        results = [
            batch.take(write, salt=salts[at * SALT_BYTES : (at + 1) * SALT_BYTES], now=when)
            for at, (write, when) in enumerate(asked)
        ]
        draft = Draft(known, now=asked[-1][1])
        draft.append(batch.appended, self.cipher)
        draft.put_states(fetched.states, batch.changed, batch.appended, batch.losses)
        draft.put_done(batch.newly_done)
        for stream in {one.operation.stream for one in batch.appended}:
            draft.put_head(stream, known.origin, batch.heads[stream])
        return draft, results

    # What batches ask about

    async def fetch(self, connection: Connection, known: Known, places: set[Place], op_ids: set[OpId]) -> Fetched:
        """What is stored of these keys and operation ids."""
        return await fetch(connection, self._fetch, known, places, op_ids)

    async def _bodies(
        self, connection: Connection, known: Known, writes: Sequence[Write], states: Mapping[Place, KeyState]
    ) -> dict[Place, bytes]:
        """Of keys that are patched."""
        bodies = {}
        for place in {(write.stream, write.key) for write in writes if write.kind == "patch"}:
            live = [version for version in states.get(place, EMPTY).versions if not version.is_deleted]
            for origin, seq in live[0].dots if live else ():
                row = await connection.fetchrow(
                    self.named("SELECT value, cipher FROM @log WHERE stream = $1 AND origin = $2 AND seq = $3"),
                    known.streams.get(place[0]),
                    known.origins.get(origin),
                    seq,
                )
                if row is not None:
                    bodies[place] = self.cipher.open(row["value"], row["cipher"], place[0], origin, seq)
                    break
        return bodies

    async def vector(self, connection: Connection, stream_id: int, column: str) -> VersionVector:
        """`pruned` or `horizon` of a stream."""
        found = await connection.fetchval(self.named(f"SELECT {column} FROM @stream WHERE id = $1"), stream_id)  # noqa: S608 - one of two names of ours
        return {} if found is None else _decode_vector(found)

    async def renew(self, reason: str, origin_after: Callable[[str], str]) -> str:
        """Write under a new origin from now on."""
        async with self.exclusive() as (connection, known):
            origin = origin_after(known.origin)
            await connection.execute(self.named("UPDATE @meta SET origin = $1, renewed = $2"), origin, reason)
        self.origin = origin
        return origin

    async def _mind_encryption(self, connection: Connection) -> None:
        """Encrypt values from before it was required, once; in chunks that count even if the next one fails."""
        is_encrypted = await connection.fetchval(self.named("SELECT is_encrypted FROM @meta"))
        if is_encrypted and not self.cipher.encrypts:
            await connection.execute(self.named("UPDATE @meta SET is_encrypted = false"))
        if is_encrypted or not self.cipher.encrypts:
            return
        select = (
            "SELECT table_name.ctid AS place, stream.name AS stream, origin.name AS origin, seq, value"
            " FROM @{table} AS table_name JOIN @stream AS stream ON stream.id = table_name.stream"
            " JOIN @origin AS origin ON origin.id = table_name.origin WHERE cipher IS NULL LIMIT 500"
        )
        for table in ("log", "held"):
            while True:
                async with self.exclusive_on(connection):
                    rows = await connection.fetch(self.named(select.replace("{table}", table)))
                    closed = [self.cipher.close(row["value"], row["stream"], row["origin"], row["seq"]) for row in rows]
                    await connection.executemany(
                        self.named(f"UPDATE @{table} SET value = $2, cipher = $3 WHERE ctid = $1"),  # noqa: S608 - ours
                        [(row["place"], value, key) for row, (value, key) in zip(rows, closed, strict=True)],
                    )
                if not rows:
                    break
        await connection.execute(self.named("UPDATE @meta SET is_encrypted = true"))


async def judged(size: int, work: Callable[[], Answer]) -> Answer:
    """Small batches at once, large ones on a thread."""
    return work() if size < LARGE else await asyncio.to_thread(work)
