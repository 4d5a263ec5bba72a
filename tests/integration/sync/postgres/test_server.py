from __future__ import annotations

import asyncio
import contextlib
import time

import asyncpg
import pytest

from sync.errors import CursorExpired, StoreFull, StoreUnavailable
from sync.postgres.server import READERS, Server, facts, translated
from tests.harness.node import ports
from tests.harness.postgres import PostgresServer
from tests.integration.sync.postgres.conftest import looking_at

WITHIN_S = 30.0


def test_what_the_server_reports_is_told_apart() -> None:
    assert isinstance(translated(asyncpg.DiskFullError("no space left")), StoreFull)
    other = translated(asyncpg.UniqueViolationError("twice"))
    assert not isinstance(other, StoreFull)
    assert "23505: twice" in str(other)
    assert "in time" in str(translated(TimeoutError()))
    assert "standby" in str(translated(asyncpg.ReadOnlySQLTransactionError("read-only")))


async def test_while_it_is_known_to_be_gone_nobody_waits() -> None:
    now = 100.0
    (port,) = ports(1)
    server = Server(f"postgresql://nobody@127.0.0.1:{port}/none", now=lambda: now)
    with pytest.raises(StoreUnavailable) as first:
        await server.connect()
    with pytest.raises(StoreUnavailable) as second:
        await server.connect()
    assert second.value.args == first.value.args
    assert second.value.__cause__ is None, "nobody was asked"
    now += 1
    with pytest.raises(StoreUnavailable) as third:
        await server.connect()
    assert third.value.__cause__ is not None


async def test_a_database_that_takes_no_writes_is_refused(server: PostgresServer) -> None:
    dsn = server.database("standby")
    server.execute("postgres", "ALTER DATABASE standby SET default_transaction_read_only = on")
    with pytest.raises(StoreUnavailable, match="standby or read-only"):
        await Server(dsn, now=time.monotonic).connect()


async def test_readers_are_few_and_used_again(server: PostgresServer) -> None:
    pool = Server(server.dsn, now=time.monotonic)
    seen: set[int] = set()

    async def ask() -> None:
        async with pool.reader() as connection:
            seen.add(connection.get_server_pid())
            await connection.fetchval("SELECT 1")

    await asyncio.gather(*(ask() for _ in range(50)))
    assert len(seen) <= READERS
    with contextlib.suppress(CursorExpired):
        async with pool.reader() as connection:
            seen.add(connection.get_server_pid())
            raise CursorExpired("an answer, not a fault")
    with pytest.raises(StoreUnavailable, match="division by zero"):
        async with pool.reader() as connection:
            await connection.fetchval("SELECT 1 / 0")
    await ask()
    pool.close()


async def test_a_reader_whose_server_went_away_is_replaced(server: PostgresServer) -> None:
    pool = Server(server.dsn, now=time.monotonic)
    async with pool.reader() as connection:
        pid = connection.get_server_pid()
    async with looking_at(server, "nowhere") as onlooker:
        await onlooker.execute("SELECT pg_terminate_backend($1, 5000)", pid)
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                async with pool.reader() as connection:
                    assert await connection.fetchval("SELECT 1") == 1
                    break
            except StoreUnavailable:
                continue
    pool.close()


async def test_it_says_whether_commits_are_durable(server: PostgresServer) -> None:
    async with looking_at(server, "nowhere") as connection:
        told = await facts(connection)
    assert (told["fsync"], told["full_page_writes"], told["region"]) == ("off", "on", None)
