"""Connections to a real Redis that cuts them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
import threading
import time

import pytest
from redis.exceptions import RedisError

from chaos.mesh.processes import half_closed
from health.redis_client import redis_client
from tests.harness.redis import RedisServer
from tidegate.demo.waiting import until


async def test_what_was_cut_is_closed_when_its_turn_comes_though_one_connection_would_do(
    redis_server: RedisServer,
) -> None:
    client = redis_client(redis_server.url, timeout_s=5.0, most=4)
    await asyncio.gather(*(client.blpop(["nothing"], timeout=0.2) for _ in range(4)))
    killer = redis_client(redis_server.url, timeout_s=5.0, most=1)
    assert await killer.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") == 4
    await until(lambda: half_closed([os.getpid()]) == 4, within_s=10, what="all four are half closed")
    for _ in range(4):
        assert await client.ping()
    assert half_closed([os.getpid()]) == 0
    await client.aclose()
    await killer.aclose()


async def test_who_does_not_answer_in_time_is_not_asked_again(redis_server: RedisServer) -> None:
    client = redis_client(redis_server.url, timeout_s=0.3, most=1)
    assert await client.ping()
    redis_server.signal(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(RedisError):
        await client.incr("times")
    assert time.monotonic() - began < 5.0
    redis_server.signal(signal.SIGCONT)
    await until(client.ping, within_s=10, what="it answers again")
    assert int(await client.get("times")) == 1
    await client.aclose()


async def test_a_server_that_hangs_up_is_away_at_whatever_moment_it_does() -> None:
    """As a proxy does whose server is gone: it accepts, and resets, while the client is still greeting."""
    listening = socket.create_server(("127.0.0.1", 0))

    def hang_up() -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = listening.accept()
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                accepted.close()

    hanging_up = threading.Thread(target=hang_up, daemon=True)
    hanging_up.start()
    client = redis_client(f"redis://127.0.0.1:{listening.getsockname()[1]}", timeout_s=5.0, most=2)
    script = client.register_script("return 1")
    try:
        for _ in range(300):
            with pytest.raises((RedisError, OSError)):
                await script()
    finally:
        await client.aclose()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        hanging_up.join()
