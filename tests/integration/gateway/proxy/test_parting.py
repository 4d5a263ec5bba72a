"""Connections with clients that end otherwise than by a plain close."""

from __future__ import annotations

import pytest

from tests.harness.dataplane import Bench, Connection


async def test_a_large_body_is_refused_before_the_client_has_sent_it() -> None:
    async with Bench(listener={"limits": {"max_body": "1KiB"}}) as bench:
        await bench.endpoint()
        await bench.publish()
        client = await bench.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100_000)
        reply = await client.reply()
        assert (reply.status, reply.problem["reason"]) == (413, "body_too_large")


async def test_half_an_answer_to_an_http_1_0_client_ends_with_a_reset_not_with_an_end() -> None:
    async def half(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        connection.reset()

    async with Bench() as bench:
        await bench.endpoint(half)
        await bench.publish()
        async with bench.client() as client:
            await client.send(b"GET / HTTP/1.0\r\n\r\n")
            await client.head()
            with pytest.raises(ConnectionResetError):
                await client.rest()
