"""A pool on a real server that is there, and not yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from health.postgres_pool import FAILURES, PostgresPool
from tests.harness.node import ports
from tests.harness.postgres import PostgresServer

SCHEMA = "CREATE TABLE IF NOT EXISTS thing(name text PRIMARY KEY)"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    yield made
    made.close()


def pool(dsn: str, schema: str = SCHEMA) -> PostgresPool:
    return PostgresPool(dsn, schema=schema, size=2, timeout_s=5.0)


async def test_whoever_asks_first_opens_it_and_all_get_the_same(server: PostgresServer) -> None:
    one = pool(server.dsn)
    first, second = await asyncio.gather(one.opened(), one.opened())
    assert first is second
    assert await first.fetch("SELECT name FROM thing") == []
    one.terminate()


async def test_what_could_not_be_opened_is_tried_again(server: PostgresServer) -> None:
    refused = pool(f"postgresql://tidegate@127.0.0.1:{ports(1)[0]}/postgres")
    for _ in range(2):
        with pytest.raises(FAILURES):
            await (await refused.opened()).fetch("SELECT 1")
    wrong = pool(server.dsn, schema="CREATE NONSENSE")
    for _ in range(2):
        with pytest.raises(FAILURES):
            await wrong.opened()
    wrong.terminate()
