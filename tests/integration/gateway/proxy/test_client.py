"""What a client may send and gets back: refusals that reach no endpoint, limits, time-outs, endings."""

from __future__ import annotations

import asyncio
import contextlib
from typing import cast

import pytest

from gateway.proxy.client import ClientConnection
from tests.harness.dataplane import Bench, Connection, until

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /%2e%2e/%2e%2e/etc HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: h\n\n\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 405),
        (b"FROB / HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 426),
        (b"GET /" + b"a" * 9000, 414),
        (b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"a" * 50_000, 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"a" * 33_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"A: 1\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\nVia: 1.1 GW-Test\r\n\r\n", 508),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n", 413),
    ],
)
async def test_a_refusal_closes_the_connection_and_not_a_byte_reaches_an_endpoint(
    request_bytes: bytes, status: int
) -> None:
    async with Bench(listener={"limits": {"max_body": "1KiB"}}) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        client = await bench.connect()
        await client.send(request_bytes)
        await client.send(GET)  # what follows an ambiguous request is never taken for a request
        reply = await client.reply()
        assert reply.status == status
        assert reply.field(b"content-type") == b"application/problem+json"
        assert reply.field(b"connection") == b"close"
        assert (reply.field(b"proxy-status") or b"").startswith(b"gw-test; error=")
        assert await client.rest() == b""
        assert endpoint.connections == 0
        assert (await bench.ask(GET)).status == 200, "the next client is served"


@pytest.mark.parametrize(
    "body", [b"zz\r\n", b"5\r\nhelloXX", b"3\nabc", b"5;" + b"x" * 1000, b"400\r\n" + b"x" * 1024 + b"\r\n1\r\nx"]
)
async def test_a_broken_chunked_body_is_refused_and_its_endpoint_connection_dropped(body: bytes) -> None:
    async with Bench(listener={"limits": {"max_body": "1KiB"}}) as bench:
        await bench.endpoint(swallow)
        await bench.publish()
        client = await bench.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        reply = await client.reply()
        assert reply.status == (413 if body.startswith(b"400") else 400)
        assert await client.rest() == b""
        await until(lambda: not bench.plane.pool.open_by_service.get("api"), "no connection to the endpoint is left")


async def swallow(connection: Connection) -> None:
    await connection.head()
    await connection.rest()


async def test_the_endpoint_decides_whether_a_client_is_told_to_continue() -> None:
    async def take(connection: Connection) -> None:
        assert b"\r\nExpect: 100-continue\r\n" in await connection.head()
        await connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await connection.exactly(2) == b"hi"
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with Bench() as bench:
        await bench.endpoint(take)
        await bench.publish()
        client = await bench.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"hi")
        assert (await client.reply()).status == 200


async def test_an_endpoint_that_does_not_want_the_body_answers_before_it_is_sent() -> None:
    async def refuse(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
        await connection.rest()

    async with Bench() as bench:
        await bench.endpoint(refuse)
        await bench.publish()
        client = await bench.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        reply = await client.reply()
        assert (reply.status, reply.body, reply.field(b"connection")) == (401, b"no", b"close")


async def test_a_head_that_does_not_end_in_time_is_a_408() -> None:
    async with Bench(listener={"timeouts": {"header": "300ms"}}) as bench:
        await bench.endpoint()
        await bench.publish()
        client = await bench.connect()
        await client.send(b"GET / HTTP/1.1\r\nHo")
        reply = await client.reply()
        assert (reply.status, reply.problem["reason"]) == (408, "header_timeout")
        assert await client.rest() == b""


async def test_a_head_sent_a_byte_at_a_time_does_not_earn_more_time() -> None:
    async with Bench(listener={"timeouts": {"header": "300ms"}}) as bench:
        await bench.endpoint()
        await bench.publish()
        client = await bench.connect()

        async def drip() -> None:
            while True:
                client.writer.write(b"x")
                await asyncio.sleep(0.02)

        async with asyncio.TaskGroup() as group:
            dripping = group.create_task(drip())
            assert (await client.reply()).status == 408
            dripping.cancel()


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    async with Bench(listener={"timeouts": {"idle": "300ms"}}) as bench:
        await bench.endpoint()
        await bench.publish()
        client = await bench.connect()
        await client.send(GET)
        await client.reply()
        assert await client.rest() == b""


async def test_a_body_that_stops_coming_is_a_408() -> None:
    async with Bench(listener={"timeouts": {"body_idle": "300ms"}}) as bench:
        await bench.endpoint(swallow)
        await bench.publish()
        client = await bench.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
        reply = await client.reply()
        assert (reply.status, reply.problem["reason"]) == (408, "body_timeout")


async def test_one_connection_too_many_is_told_so() -> None:
    async with Bench(listener={"limits": {"max_connections": 2}}) as bench:
        await bench.endpoint()
        await bench.publish()
        kept = [await bench.connect() for _ in range(2)]
        for client in kept:
            await client.send(GET)
            assert (await client.reply()).status == 200
        extra = await bench.connect()
        reply = await extra.reply()
        assert (reply.status, reply.problem["reason"]) == (503, "connection_limit")
        kept[0].close()
        await until(lambda: len(bench.plane.clients) < 3, "a place is free")
        await until(lambda: len(bench.plane.clients) <= 1, "the refused one is gone too")
        assert (await bench.ask(GET)).status == 200


async def test_a_half_closed_client_gets_its_answer() -> None:
    go = asyncio.Event()

    async def later(connection: Connection) -> None:
        await connection.head()
        await go.wait()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with Bench() as bench:
        endpoint = await bench.endpoint(later)
        await bench.publish()
        client = await bench.connect()
        await client.send(GET)
        client.writer.write_eof()
        await until(lambda: bool(endpoint.received), "the request arrived")
        go.set()
        reply = await client.reply()
        assert (reply.status, reply.field(b"connection")) == (200, b"close")
        assert await client.rest() == b""


async def test_a_slow_reader_that_takes_nothing_is_cut_after_the_write_time_out() -> None:
    async def flood(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        while True:
            await connection.send(b"x" * 65536)

    async with Bench(listener={"timeouts": {"write": "300ms"}}) as bench:
        await bench.endpoint(flood)
        await bench.publish()
        client = await bench.connect()
        await client.send(GET)
        await client.head()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transport reads too
        await until(lambda: bool(bench.log), "the request ended")
        assert bench.log[0]["reason"] == "client_left"
        assert bench.plane.report().connections == 0


async def test_a_length_of_thousands_of_digits_is_refused_like_any_other() -> None:
    async with Bench() as bench:
        await bench.endpoint()
        await bench.publish()
        reply = await bench.ask(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + b"1" * 5000 + b"\r\n\r\n")
        assert reply.status == 413


async def test_a_client_that_sends_ahead_and_never_reads_is_neither_answered_nor_read_from_without_end() -> None:
    flood = b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n" * 1000
    async with Bench(
        routes=[{"id": "r", "match": {"path": "/x"}, "service": "api"}], listener={"timeouts": {"write": "500ms"}}
    ) as bench:
        await bench.endpoint()
        await bench.publish()
        client = await bench.connect()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transport reads too
        client.writer.transport.set_write_buffer_limits(high=0)
        answered: list[int] = []
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(8):
                while True:
                    client.writer.write(flood)
                    await client.writer.drain()
                    answered.append(len(bench.log))
        await until(lambda: bench.plane.report().connections == 0, "the write time-out has cut it")
        assert len(bench.log) < 40_000, "answers stop when nobody reads them"


async def test_requests_sent_ahead_are_bounded_and_all_answered() -> None:
    count = 20_000
    async with Bench() as bench:
        await bench.endpoint()
        await bench.publish()
        client = await bench.connect()

        async def push() -> None:
            for _ in range(count // 1000):
                client.writer.write(GET * 1000)
                await client.writer.drain()

        async with asyncio.TaskGroup() as group:
            group.create_task(push())
            largest = 0
            for _ in range(count):
                assert (await client.reply()).status == 200
                inboxes = [cast(ClientConnection, one)._inbox.size for one in bench.plane.clients]
                largest = max(largest, *inboxes)
        assert largest < 512 * 1024


async def test_empty_lines_do_not_keep_a_connection() -> None:
    async with Bench(listener={"timeouts": {"header": "300ms", "idle": "400ms"}}) as bench:
        await bench.endpoint()
        await bench.publish()
        client = await bench.connect()

        async def drip() -> None:
            while True:
                client.writer.write(b"\r\n")
                await asyncio.sleep(0.02)

        async with asyncio.TaskGroup() as group:
            dripping = group.create_task(drip())
            with contextlib.suppress(ConnectionResetError):  # a line that arrived after the end
                assert await client.rest() == b""
            dripping.cancel()


async def test_a_bare_line_feed_is_refused_at_once() -> None:
    async with Bench() as bench:
        await bench.endpoint()
        await bench.publish()
        assert (await bench.ask(b"GET / HTTP/1.1\nHost: h\n\n")).status == 400
