"""A board in a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from health.state.postgres import PostgresBoard
from tests.harness.boards import check_board, check_return
from tests.harness.postgres import PostgresServer


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer("fsync=off")
    yield made
    made.close()


@pytest.fixture
def dsn(server: PostgresServer, request: pytest.FixtureRequest) -> str:
    """Of a database of its own."""
    name = f"board_{abs(hash(request.node.name))}"
    return server.database(name)


async def test_postgresql_keeps_what_is_pinned_for_its_life(dsn: str) -> None:
    await check_board(lambda cluster: PostgresBoard(dsn, cluster=cluster))


async def test_a_postgresql_that_died_is_said_and_pinned_to_again(server: PostgresServer, dsn: str) -> None:
    await check_return(PostgresBoard(dsn, cluster="mesh"), die=server.kill, start=server.start)


async def test_many_who_take_the_same_down_at_once_are_in_nobodys_way(dsn: str) -> None:
    boards = [PostgresBoard(dsn, cluster="mesh") for _ in range(8)]
    await boards[0].exchange("first", b"", life_s=60)
    for _ in range(20):
        found = await asyncio.gather(
            *(board.exchange(f"n{number}", b"x", life_s=0.001) for number, board in enumerate(boards[1:]))
        )
        assert all(one["first"] == b"" for one in found)
    for board in boards:
        await board.close()
