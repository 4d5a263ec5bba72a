"""Connections to a real Redis that cuts them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from chaos.mesh.processes import half_closed
from health.redis_client import redis_client
from tests.harness.redis import RedisServer
from tidegate.demo.waiting import until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path / "redis", durable=False)
    yield made
    made.kill()


async def test_what_was_cut_is_closed_when_its_turn_comes_though_one_connection_would_do(server: RedisServer) -> None:
    client = redis_client(server.url, timeout_s=5.0, most=4)
    await asyncio.gather(*(client.blpop(["nothing"], timeout=0.2) for _ in range(4)))
    killer = redis_client(server.url, timeout_s=5.0, most=1)
    assert await killer.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") == 4
    await until(lambda: half_closed([os.getpid()]) == 4, within_s=10, what="all four are half closed")
    for _ in range(4):
        assert await client.ping()
    assert half_closed([os.getpid()]) == 0
    await client.aclose()
    await killer.aclose()


async def test_who_does_not_answer_in_time_is_not_asked_again(server: RedisServer) -> None:
    client = redis_client(server.url, timeout_s=0.3, most=1)
    assert await client.ping()
    server.signal(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(RedisError):
        await client.incr("times")
    assert time.monotonic() - began < 5.0
    server.signal(signal.SIGCONT)
    await until(client.ping, within_s=10, what="it answers again")
    assert int(await client.get("times")) == 1
    await client.aclose()
