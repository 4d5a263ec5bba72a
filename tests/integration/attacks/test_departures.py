"""Who leaves at an awkward moment leaves nothing behind: no connection, no count, no half-open tunnel."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.dataplane import Bench, Connection, until

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n"
)


async def nothing_is_left(bench: Bench) -> None:
    await until(lambda: bench.plane.report().connections == 0, "no client is left")
    await until(lambda: bench.plane.report().in_flight == 0, "nothing is in flight")
    await until(lambda: not bench.plane.pool.open_by_service.get("api"), "no connection to the endpoint is left")


@pytest.mark.parametrize("leaving", ["half-close", "close", "reset"])
async def test_a_client_that_leaves_before_its_tunnel_opens_leaves_no_tunnel(leaving: str) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def switch(connection: Connection) -> None:
        await connection.head()
        asked.set()
        await go.wait()
        await connection.send(SWITCHING)
        await connection.rest()

    async with Bench() as bench:
        await bench.endpoint(switch)
        await bench.publish()
        client = await bench.connect()
        await client.send(HANDSHAKE)
        await asked.wait()
        if leaving == "half-close":
            client.writer.write_eof()
        elif leaving == "close":
            client.close()
        else:
            client.reset()
        await asyncio.sleep(0)
        go.set()
        if leaving == "half-close":
            await client.rest()
            client.close()
        await nothing_is_left(bench)


@pytest.mark.parametrize("leaving", ["close", "reset"])
@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
    ids=["asked", "half a length", "half of the chunks"],
)
async def test_a_client_that_leaves_ends_its_request_at_the_endpoint(request_: bytes, leaving: str) -> None:
    ended = asyncio.Event()

    async def wait(connection: Connection) -> None:
        await connection.head()
        try:
            await connection.rest()
        finally:
            ended.set()

    async with Bench() as bench:
        endpoint = await bench.endpoint(wait)
        await bench.publish()
        client = await bench.connect()
        await client.send(request_)
        await until(lambda: bool(endpoint.received), "the request arrived")
        if leaving == "close" and b"half" in request_:
            client.close()
        else:
            client.reset()  # a client that only closes may still be reading: its answer is waited for
        async with asyncio.timeout(5):
            await ended.wait()
        await nothing_is_left(bench)


async def test_a_post_is_not_lost_to_connections_that_close_while_idle() -> None:
    """The endpoint closes idle connections at the very moment when the next request comes."""

    async def close_soon(connection: Connection) -> None:
        head = await connection.head()
        await connection.exactly(2)
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await asyncio.sleep(0)
        if b"/last" not in head:
            connection.close()

    async with Bench() as bench:
        await bench.endpoint(close_soon)
        await bench.publish()
        async with bench.client() as client:
            lost = 0
            for number in range(200):
                await client.send(b"POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi" % number)
                lost += (await client.reply()).status != 200
                await asyncio.sleep(0.001)  # time for the end to arrive, as a server's time-out leaves
            assert lost == 0
