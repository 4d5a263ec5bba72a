"""A board in a real Redis."""

from __future__ import annotations

import redis.asyncio

from health.state.redis import RedisBoard
from tests.harness.boards import check_board, check_return
from tests.harness.redis import RedisServer
from tidegate.demo.waiting import until


async def test_redis_keeps_what_is_pinned_for_its_life(redis_server: RedisServer) -> None:
    await check_board(lambda cluster: RedisBoard(redis_server.url, cluster=cluster))


async def test_a_redis_that_died_is_said_and_pinned_to_again(redis_server: RedisServer) -> None:
    await check_return(RedisBoard(redis_server.url, cluster="mesh"), die=redis_server.kill, start=redis_server.start)


async def test_nothing_of_a_mesh_that_is_gone_stays_behind(redis_server: RedisServer) -> None:
    board = RedisBoard(redis_server.url, cluster="mesh")
    await board.exchange("a/1", b"1", life_s=0.1)
    client = redis.asyncio.Redis.from_url(redis_server.url)

    async def is_empty() -> bool:
        return int(await client.dbsize()) == 0

    await until(is_empty, within_s=10, what="the server is empty")
    await client.aclose()
    await board.close()
