"""How connections end when a real data plane stops. What a cut does to each: proxy/test_cutting.py, test_tunnel.py."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.harness.dataplane import Bench, Connection, until

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


async def test_a_drain_finishes_what_is_in_flight_and_takes_nothing_new() -> None:
    go = asyncio.Event()

    async def later(connection: Connection) -> None:
        await connection.head()
        await go.wait()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with Bench() as bench:
        endpoint = await bench.endpoint(later)
        await bench.publish()
        busy, idle = await bench.connect(), await bench.connect()
        await busy.send(GET)
        await until(lambda: bool(endpoint.received), "the request is in flight")
        async with asyncio.TaskGroup() as group:
            draining = group.create_task(bench.plane.drain(10.0))
            await until(lambda: bench.plane.is_draining, "the drain has begun")
            assert await idle.rest() == b""
            go.set()
            reply = await busy.reply()
            assert (reply.status, reply.field(b"connection")) == (200, b"close")
        assert draining.result() == 0
        with pytest.raises(ConnectionError):
            await bench.connect()


async def test_a_drain_cuts_what_does_not_end_and_says_how_much() -> None:
    async def never(connection: Connection) -> None:
        await connection.head()
        await connection.rest()

    async with Bench() as bench:
        endpoint = await bench.endpoint(never)
        await bench.publish()
        client = await bench.connect()
        await client.send(GET)
        await until(lambda: bool(endpoint.received), "the request is in flight")
        assert await bench.plane.drain(0.2) == 1


async def test_a_drain_waits_for_who_was_accepted_at_its_very_beginning() -> None:
    async with Bench() as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        # Blocking, so that the loop sees it only once the drain has begun.
        with socket.create_connection(("127.0.0.1", bench.port), timeout=10.0) as client:

            async def ask() -> bytes:
                await until(lambda: len(bench.plane.clients) == 1, "it is accepted")
                client.sendall(GET)
                return await asyncio.to_thread(client.recv, 65536)

            async with asyncio.TaskGroup() as group:
                answer = group.create_task(ask())
                assert await bench.plane.drain(10.0) == 0
                assert endpoint.received
            assert answer.result().startswith(b"HTTP/1.1 200 ")
