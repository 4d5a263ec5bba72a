"""A board in a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis.asyncio

from health.state.redis import RedisBoard
from tests.harness.boards import check_board, check_return
from tests.harness.redis import RedisServer
from tidegate.demo.waiting import until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path / "redis", durable=False)
    yield made
    made.kill()


async def test_redis_keeps_what_is_pinned_for_its_life(server: RedisServer) -> None:
    await check_board(lambda cluster: RedisBoard(server.url, cluster=cluster))


async def test_a_redis_that_died_is_said_and_pinned_to_again(server: RedisServer) -> None:
    await check_return(RedisBoard(server.url, cluster="mesh"), die=server.kill, start=server.start)


async def test_nothing_of_a_mesh_that_is_gone_stays_behind(server: RedisServer) -> None:
    board = RedisBoard(server.url, cluster="mesh")
    await board.exchange("a/1", b"1", life_s=0.1)
    client = redis.asyncio.Redis.from_url(server.url)

    async def is_empty() -> bool:
        return int(await client.dbsize()) == 0

    await until(is_empty, within_s=10, what="the server is empty")
    await client.aclose()
    await board.close()
