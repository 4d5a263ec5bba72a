"""PostgreSQL: two clusters, B subscribes to A's publication (logical replication); clients by asyncpg."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from bench.sync.client import Side, polled
from bench.sync.documents import Document
from bench.sync.products.product import Pair, Region, Through
from tests.harness.postgres import PostgresServer
from tidegate.demo.waiting import until

TABLE = 'create table documents (key text collate "C" primary key, value json not null)'
PUT = "insert into documents values ($1, $2) on conflict (key) do update set value = excluded.value"
PUT_MANY = (
    "insert into documents select * from unnest($1::text[], $2::json[]) "
    "on conflict (key) do update set value = excluded.value"
)
SETTINGS = ("wal_level=logical", "shared_buffers=128MB")
"""The second is PostgreSQL's own default; the harness has another."""


class Postgres:
    name = "PostgreSQL"
    settings = (
        "defaults (`fsync = on`, `synchronous_commit = on`) and `wal_level = logical`; one publication, one "
        "subscription; batches by one `INSERT` of 500 rows, a transaction each"
    )
    observed = "a connection to B that asks for the next 32 unseen keys again and again"
    share = 1.0

    def missing(self) -> str | None:
        try:
            self.version()
        except OSError as error:
            return f"cannot be started: {error}"
        return None

    def version(self) -> str:
        shown = subprocess.run(["postgres", "--version"], capture_output=True, text=True, check=True).stdout
        return shown.strip().rpartition(") ")[2]

    @asynccontextmanager
    async def pair(self, folder: Path, through: Through) -> AsyncIterator[Pair]:
        a = PostgresServer(*SETTINGS)
        try:
            b = PostgresServer(*SETTINGS)
            try:
                a.execute("postgres", TABLE, "create publication documents for table documents")
                source = f"host=127.0.0.1 port={through(a.port)} user=tidegate dbname=postgres"
                b.execute("postgres", TABLE)
                b.execute("postgres", f"create subscription documents connection '{source}' publication documents")
                await _subscribed(b)
                yield Pair(*(Region(Side("postgres", one.port), one.pid) for one in (a, b)))
            finally:
                b.close()
        finally:
            a.close()


async def _subscribed(server: PostgresServer) -> None:
    connection = await asyncpg.connect(server.dsn)
    try:

        async def is_ready() -> bool:
            return bool(await connection.fetchval("select srsubstate = 'r' from pg_subscription_rel"))

        await until(is_ready, within_s=60, what="the subscription follows")
    finally:
        await connection.close()


class PostgresClient:
    def __init__(self, port: int) -> None:
        self._dsn = f"postgresql://tidegate@127.0.0.1:{port}/postgres"

    async def open(self) -> None:
        self._connection = await asyncpg.connect(self._dsn)
        self._put = await self._connection.prepare(PUT)
        self._put_many = await self._connection.prepare(PUT_MANY)
        self._present = await self._connection.prepare("select key from documents where key = any($1::text[])")

    async def put(self, document: Document) -> None:
        await self._put.fetch(document.key, document.value.decode())

    async def put_many(self, documents: Sequence[Document]) -> None:
        await self._put_many.fetch([one.key for one in documents], [one.value.decode() for one in documents])

    async def present(self, keys: Sequence[str]) -> Collection[str]:
        return [str(row[0]) for row in await self._present.fetch(list(keys))]

    async def watch(self, keys: Sequence[str], since: str) -> AsyncIterator[Collection[str]]:
        yield ()
        async for found in polled(self.present, keys):
            yield found

    async def mark(self) -> str:
        return ""

    async def read_back(self, run: str, keys: Sequence[str]) -> AsyncIterator[tuple[str, bytes]]:
        async with self._connection.transaction():
            rows = self._connection.cursor(
                "select key, value::text from documents where key >= $1 and key < $2",
                f"{run}-",
                f"{run}.",  # what follows - in ASCII
                prefetch=1000,
            )
            async for row in rows:
                yield str(row[0]), str(row[1]).encode()

    async def close(self) -> None:
        await self._connection.close()
