"""Bodies that are received whole before an endpoint is chosen, through a real data plane."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.dataplane import Bench, Connection, until


def put(*lines: bytes) -> bytes:
    """The head of a request with these fields."""
    return b"PUT / HTTP/1.1\r\n" + b"".join(line + b"\r\n" for line in (b"Host: h", *lines)) + b"\r\n"


BUFFERED: dict[str, Any] = {"buffer_request": True}


async def take_body(connection: Connection) -> None:
    """Answer with the body that came by its length."""
    while True:
        head = await connection.head()
        size = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        body = await connection.exactly(size)
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body)


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_an_endpoint_is_chosen_when_the_whole_body_is_here(framing: str) -> None:
    async with Bench(route=BUFFERED) as bench:
        endpoint = await bench.endpoint(take_body)
        await bench.publish()
        client = await bench.connect()
        if framing == "length":
            wire = put(b"Content-Length: 300000") + b"x" * 300_000
        else:
            wire = put(b"Transfer-Encoding: chunked")
            wire += b"".join(b"%x\r\n%b\r\n" % (30_000, b"x" * 30_000) for _ in range(10)) + b"0\r\n\r\n"
        await client.send(wire[:-1])
        await until(lambda: bench.plane.buffers.held_bytes >= 299_999, "all of the body but its end is held")
        assert (endpoint.connections, bench.plane.pool.open_by_service) == (0, {})
        await client.send(wire[-1:])
        reply = await client.reply()
        assert (reply.status, reply.body) == (200, b"x" * 300_000)
        assert b"Transfer-Encoding" not in endpoint.received[0]
        assert b"\r\nContent-Length: 300000\r\n" in endpoint.received[0]
        await until(lambda: bench.plane.buffers.held_bytes == 0, "the buffer is free again")
        await client.send(put(b"Content-Length: 2") + b"ab")
        assert (await client.reply()).body == b"ab"


async def test_a_body_held_whole_is_sent_again_whatever_its_size_by_what_is_known_then() -> None:
    async def reset(connection: Connection) -> None:
        await connection.head()
        connection.reset()

    async with Bench(route=BUFFERED, service={"load_balancing": {"algorithm": "round_robin"}}) as bench:
        for _ in range(2):
            await bench.endpoint(reset)
        await bench.endpoint(take_body)
        await bench.publish()
        reply = await bench.ask(put(b"Content-Length: 500000") + b"y" * 500_000)
        assert (reply.status, len(reply.body)) == (200, 500_000)


async def test_a_body_above_the_limit_of_the_buffer_is_refused_and_all_of_them_have_one() -> None:
    route = {**BUFFERED, "limits": {"max_request": "1KiB"}}
    async with Bench(route=route) as bench:
        endpoint = await bench.endpoint(take_body)
        await bench.publish()
        chunked = put(b"Transfer-Encoding: chunked") + b"401\r\n" + b"x" * 1025 + b"\r\n0\r\n\r\n"
        assert (await bench.ask(chunked)).status == 413
        announced = put(b"Content-Length: 1025", b"Expect: 100-continue")
        assert (await bench.ask(announced)).status == 413
        bench.plane.buffers = type(bench.plane.buffers)(workers=1 << 20)
        bench.plane.buffers.hold((16 << 20) - 10)
        full = await bench.ask(put(b"Content-Length: 100") + b"x" * 100)
        assert (full.status, full.problem["reason"], full.field(b"retry-after")) == (503, "buffers_full", b"2")
        assert endpoint.connections == 0
        bench.plane.buffers.free((16 << 20) - 10)
        assert (await bench.ask(put(b"Content-Length: 100") + b"x" * 100)).status == 200
        await until(lambda: bench.plane.buffers.held_bytes == 0, "the buffer is free again")


async def test_a_client_that_waits_for_100_gets_it_from_here() -> None:
    async with Bench(route=BUFFERED) as bench:
        endpoint = await bench.endpoint(take_body)
        await bench.publish()
        client = await bench.connect()
        await client.send(put(b"Content-Length: 5", b"Expect: 100-continue"))
        assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert endpoint.connections == 0
        await client.send(b"12345")
        assert (await client.reply()).body == b"12345"
        assert b"Expect" not in endpoint.received[0]


async def test_a_client_that_leaves_in_the_middle_of_its_body_frees_what_it_held() -> None:
    async with Bench(route=BUFFERED) as bench:
        endpoint = await bench.endpoint(take_body)
        await bench.publish()
        client = await bench.connect()
        await client.send(put(b"Content-Length: 9") + b"123")
        await until(lambda: bench.plane.buffers.held_bytes == 3, "it is held")
        client.reset()
        await until(lambda: bench.plane.buffers.held_bytes == 0, "it is free again")
        assert endpoint.connections == 0


async def test_a_body_held_whole_is_copied_to_a_mirror() -> None:
    async with Bench(route={**BUFFERED, "mirror": {"service": "shadow", "percent": "100%"}}) as bench:
        await bench.endpoint(take_body)
        shadow = await bench.service("shadow", take_body)
        await bench.publish()
        wire = put(b"Transfer-Encoding: chunked") + b"5\r\n12345\r\n0\r\n\r\n"
        assert (await bench.ask(wire)).body == b"12345"
        await until(lambda: bool(shadow.received) and not bench.plane.mirrors.under_way, "the copy ends")
        assert [count.outcome for count in bench.plane.report().mirrors] == ["2xx"]
