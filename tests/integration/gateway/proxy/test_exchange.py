"""Requests through a real data plane: bodies, back-pressure, ends, and what the endpoint really got."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.dataplane import Bench, Connection, never_answer, until

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


async def test_a_request_is_forwarded_and_its_answer_comes_back() -> None:
    async with Bench() as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        reply = await bench.ask(GET)
        assert (reply.status, reply.body) == (200, b"ok")
        assert reply.field(b"via") == b"1.1 gw-test"
        sent = endpoint.received[0]
        assert sent.startswith(b"GET /a HTTP/1.1\r\nHost: h\r\n")
        assert b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in sent
        assert reply.field(b"x-request-id") is not None
        assert b"X-Request-Id: " + (reply.field(b"x-request-id") or b"") in sent


async def test_connections_on_both_sides_are_reused() -> None:
    async with Bench() as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        async with bench.client() as client:
            for _ in range(20):
                await client.send(GET)
                assert (await client.reply()).status == 200
        assert (endpoint.connections, len(endpoint.received)) == (1, 20)


async def test_pipelined_requests_are_answered_in_order() -> None:
    async def echo_path(connection: Connection) -> None:
        while True:
            path = (await connection.head()).split(b" ")[1]
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))

    async with Bench() as bench:
        await bench.endpoint(echo_path)
        await bench.publish()
        async with bench.client() as client:
            await client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number for number in range(200)))
            bodies = [(await client.reply()).body for _ in range(200)]
        assert bodies == [b"/%d" % number for number in range(200)]


async def test_a_thousand_pipelined_requests_that_we_answer_ourselves_do_not_overflow_the_stack() -> None:
    async with Bench(routes=[{"id": "x", "match": {"path": "/x"}, "service": "api"}]) as bench:
        await bench.endpoint()
        await bench.publish()
        async with bench.client() as client:
            await client.send(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n" * 1000)
            assert {(await client.reply()).status for _ in range(1000)} == {404}


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_request_body_arrives_whole_however_it_is_split(framing: str) -> None:
    body = bytes(range(256)) * 40
    got = bytearray()

    async def collect(connection: Connection) -> None:
        head = await connection.head()
        if b"Content-Length" in head:
            got.extend(await connection.exactly(len(body)))
        else:
            while size := int(await connection.exactly_line(), 16):
                got.extend(await connection.exactly(size))
                await connection.exactly(2)
            await connection.exactly(2)
        await connection.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    if framing == "length":
        wire = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    else:
        pieces = [body[at : at + 700] for at in range(0, len(body), 700)]
        chunks = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        wire = b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nX-T: 1\r\n\r\n"
    async with Bench() as bench:
        endpoint = await bench.endpoint(collect)
        await bench.publish()
        async with bench.client() as client:
            for at in range(0, len(wire), 997):
                await client.send(wire[at : at + 997])
                await asyncio.sleep(0)
            assert (await client.head()).startswith(b"HTTP/1.1 204 ")
        assert bytes(got) == body
        assert b"X-T" not in endpoint.received[0]


async def test_an_http_1_0_client_gets_an_unchunked_answer_that_ends_with_the_connection() -> None:
    async def say(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")

    async with Bench() as bench:
        await bench.endpoint(say)
        await bench.publish()
        async with bench.client() as client:
            await client.send(b"GET / HTTP/1.0\r\n\r\n")
            head = await client.head()
            assert b"chunked" not in head
            assert await client.rest() == b"abc"


async def test_a_client_that_leaves_frees_its_endpoint() -> None:
    left = asyncio.Event()

    async def notice(connection: Connection) -> None:
        await connection.head()
        await connection.rest()
        left.set()

    async with Bench() as bench:
        await bench.endpoint(notice)
        await bench.publish()
        client = await bench.connect()
        await client.send(GET)
        await until(lambda: any(load.in_flight for load in bench.plane.book.loads.values()), "the request is forwarded")
        client.reset()
        async with asyncio.timeout(5):
            await left.wait()
        assert bench.plane.report().in_flight == 0
        assert bench.log[0]["reason"] == "client_left"


async def test_an_early_answer_reaches_a_client_that_is_still_sending() -> None:
    async def too_large(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
        await connection.rest()

    async with Bench() as bench:
        await bench.endpoint(too_large)
        await bench.publish()
        async with bench.client() as client:
            await client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + b"x" * 1000)
            reply = await client.reply()
            assert (reply.status, reply.body, reply.field(b"connection")) == (413, b"no!", b"close")


async def test_a_slow_reader_does_not_make_memory_grow() -> None:
    size = 64 * 1024 * 1024
    sent = 0

    async def flood(connection: Connection) -> None:
        nonlocal sent
        await connection.head()
        connection.writer.transport.set_write_buffer_limits(high=64 * 1024)
        connection.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        block = b"x" * 65536
        while sent < size:
            connection.writer.write(block)
            sent += len(block)
            await connection.writer.drain()

    async with Bench() as bench:
        await bench.endpoint(flood)
        await bench.publish()
        client = await bench.connect()
        await client.send(GET)
        await client.head()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transport reads too
        steady = -1
        while steady != sent:
            steady = sent
            await asyncio.sleep(0.3)
        assert sent < size / 2, "the endpoint was held back while nobody read"
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(30):
            left = size
            while left:
                left -= len(await client.reader.read(1024 * 1024))


async def test_a_slow_endpoint_holds_the_client_back() -> None:
    go = asyncio.Event()
    total = 32 * 1024 * 1024

    async def slow(connection: Connection) -> None:
        await connection.head()
        await go.wait()
        await connection.exactly(total)
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with Bench() as bench:
        await bench.endpoint(slow)
        await bench.publish()
        client = await bench.connect()
        client.writer.transport.set_write_buffer_limits(high=64 * 1024)
        client.writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % total)
        sent = 0

        async def push() -> None:
            nonlocal sent
            while sent < total:
                client.writer.write(b"x" * 65536)
                sent += 65536
                await client.writer.drain()

        async with asyncio.TaskGroup() as group:
            group.create_task(push())
            steady = -1
            while steady != sent:
                steady = sent
                await asyncio.sleep(0.3)
            assert sent < total / 2, "the client was held back while the endpoint did not read"
            go.set()
            assert (await client.reply()).body == b"ok"


async def test_the_total_time_out_ends_a_request_whatever_it_does() -> None:
    async def drip(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            await connection.send(b"x")
            await asyncio.sleep(0.01)

    async with Bench(service={"timeouts": {"total": "300ms"}}) as bench:
        await bench.endpoint(never_answer)
        await bench.publish()
        reply = await bench.ask(GET)
        assert (reply.status, reply.problem["reason"]) == (504, "total_timeout")
    async with Bench(service={"timeouts": {"total": "300ms"}}) as bench:
        await bench.endpoint(drip)
        await bench.publish()
        client = await bench.connect()
        await client.send(GET)
        await client.head()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.exactly(100000)
        assert bench.log[0]["reason"] == "total_timeout"
