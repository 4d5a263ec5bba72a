"""An acceptor's memory in a real Redis: durable ones remember, others are known to have forgotten."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis.asyncio

from health.quorum.cells import CellsUnavailable
from health.quorum.redis import RedisCells
from tests.harness.cells import check_acceptor, check_contract, check_hints, shown
from tests.harness.redis import RedisServer


@pytest.fixture(params=[True, False], ids=["durable", "volatile"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path / "redis", durable=request.param)
    yield made
    made.kill()


async def test_redis_keeps_the_contract(server: RedisServer) -> None:
    cells = RedisCells(server.url, cluster="test")
    await check_contract(cells)
    await cells.close()


async def test_who_listens_is_told_of_rows_and_not_of_leases(server: RedisServer) -> None:
    writer, reader = (RedisCells(server.url, cluster="test") for _ in range(2))
    await check_hints(writer, reader)
    await writer.close()
    await reader.close()


async def test_after_kill_9_a_durable_server_remembers_and_another_is_known_to_have_forgotten(tmp_path: Path) -> None:
    for durable in (True, False):
        server = RedisServer(tmp_path / str(durable), durable=durable)
        cells = RedisCells(server.url, cluster="test")
        incarnation = await check_acceptor(cells)
        server.kill()
        with pytest.raises(CellsUnavailable):
            await cells.load(None, everything=True)
        server.start()
        known = await shown(cells)
        assert (known.about.incarnation == incarnation) is durable
        assert known.about.generation == int(durable)
        await cells.close()
        server.kill()


async def test_what_a_volatile_server_brought_back_from_another_run_is_not_believed(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", durable=False)
    cells = RedisCells(server.url, cluster="test")
    incarnation = await check_acceptor(cells)
    client = redis.asyncio.Redis.from_url(server.url)
    await client.hset("tidegate:test:acceptor", "run", "0" * 40)
    known = await shown(cells)
    assert known.about.incarnation != incarnation
    assert (known.about.generation, known.registers) == (0, {})
    await client.aclose()
    await cells.close()
    server.kill()


async def test_a_stopped_server_costs_its_timeout_and_no_more(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", durable=False)
    cells = RedisCells(server.url, cluster="test")
    await check_acceptor(cells)
    server.signal(signal.SIGSTOP)
    with pytest.raises(CellsUnavailable):
        await cells.load(None, everything=True)
    server.signal(signal.SIGCONT)
    assert (await shown(cells)).registers["r"].value == {"v": 1}
    await cells.close()
    server.kill()
