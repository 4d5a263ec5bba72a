"""Connections to endpoints are kept, bounded, and never trusted when in doubt."""

from __future__ import annotations

import asyncio

from gateway.core.gate import Endpoint
from gateway.proxy.pool import IDLE_S, MAX_IDLE, Pool
from gateway.proxy.upstream import UpstreamConnection, connect
from tests.harness.dataplane import Bench, Connection, until

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def endpoint_at(bench: Bench, port: int) -> Endpoint:
    snapshot = bench.plane.snapshot
    assert snapshot is not None
    return next(entry for entry in snapshot.routing.services["api"].endpoints if entry.port == port)


async def opened(bench: Bench, count: int) -> list[UpstreamConnection]:
    scripted = await bench.endpoint(hold)
    await bench.publish()
    endpoint = endpoint_at(bench, scripted.port)
    return [await connect(bench.plane, endpoint, timeout_s=5.0) for _ in range(count)]


async def hold(connection: Connection) -> None:
    await connection.rest()


async def test_the_connection_used_last_is_taken_first() -> None:
    async with Bench() as bench:
        pool = Pool()
        first, second = await opened(bench, 2)
        pool.put(first)
        pool.put(second)
        assert pool.take(second.endpoint) is second
        assert pool.take(second.endpoint) is first
        assert pool.take(second.endpoint) is None


async def test_a_burst_leaves_only_so_many_behind() -> None:
    async with Bench() as bench:
        pool = Pool()
        (connection,) = await opened(bench, 1)
        assert [pool.put(connection) for _ in range(MAX_IDLE + 1)] == [True] * MAX_IDLE + [False]


async def test_an_endpoint_that_is_removed_has_its_idle_connections_closed() -> None:
    async with Bench() as bench:
        (connection,) = await opened(bench, 1)
        bench.plane.pool.put(connection)
        bench.plane.pool.close_endpoint(connection.endpoint.id)
        await until(lambda: connection.is_closed, "it is closed")
        await until(lambda: bench.plane.pool.open_by_service["api"] == 0, "it is counted no more")


async def test_an_idle_connection_that_the_endpoint_closes_is_not_taken_again() -> None:
    go = asyncio.Event()

    async def one_then_close(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await go.wait()

    async with Bench() as bench:
        scripted = await bench.endpoint(one_then_close)
        await bench.publish()
        assert (await bench.ask(GET)).status == 200
        go.set()
        await until(lambda: bench.plane.pool.open_by_service["api"] == 0, "the endpoint has closed it")
        assert (await bench.ask(GET)).status == 200
        assert scripted.connections == 2
        assert bench.log[1]["attempts"] == 1


async def test_bytes_on_an_idle_connection_are_nobodys_answer() -> None:
    go = asyncio.Event()

    async def speak_unasked(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await go.wait()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await connection.rest()

    async with Bench() as bench:
        await bench.endpoint(speak_unasked)
        await bench.publish()
        assert (await bench.ask(GET)).body == b"ok"
        go.set()
        await until(lambda: bench.plane.pool.open_by_service["api"] == 0, "the connection is dropped")
        assert (await bench.ask(GET)).body == b"ok"


async def test_an_idle_connection_is_closed_before_servers_close_theirs() -> None:
    async with Bench() as bench:
        await bench.endpoint()
        await bench.publish()
        before = bench.plane.now()
        assert (await bench.ask(GET)).status == 200
        await until(lambda: bench.plane.pool.open_by_service["api"] == 0, "it is closed")
        assert IDLE_S - 0.1 <= bench.plane.now() - before <= IDLE_S + 2.0
