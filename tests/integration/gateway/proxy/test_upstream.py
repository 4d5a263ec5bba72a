"""Answers as endpoints really send them: framed in every way, split anywhere, broken, late, too long."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.harness.dataplane import Bench, Connection, until

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=1\r\ndefg\r\n0\r\nT: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nabcdefg",
        b"HTTP/1.0 200 OK\r\n\r\nabcdefg",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nabcdefg",
    ],
    ids=["chunked", "length", "until close", "after a 100 that nobody waits for"],
)
@pytest.mark.parametrize("split", [1, 7, 1000])
async def test_an_answer_arrives_whole_however_it_is_framed_and_split(answer: bytes, split: int) -> None:
    async def say(connection: Connection) -> None:
        await connection.head()
        for at in range(0, len(answer), split):
            await connection.send(answer[at : at + split])
            await asyncio.sleep(0)

    async with Bench() as bench:
        await bench.endpoint(say)
        await bench.publish()
        reply = await bench.ask(GET)
        assert (reply.status, reply.body) == (200, b"abcdefg")


async def test_early_hints_are_passed_on_but_not_to_http_1_0() -> None:
    async def hint(connection: Connection) -> None:
        await connection.head()
        await connection.send(
            b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        )

    async with Bench() as bench:
        await bench.endpoint(hint)
        await bench.publish()
        async with bench.client() as client:
            await client.send(GET)
            assert await client.head() == b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
            assert (await client.reply()).body == b"ok"
        async with bench.client() as client:
            await client.send(b"GET / HTTP/1.0\r\n\r\n")
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")


async def test_head_and_204_and_304_leave_the_connection_usable() -> None:
    answers = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ]

    async def say(connection: Connection) -> None:
        for answer in answers:
            await connection.head()
            await connection.send(answer)

    async with Bench() as bench:
        endpoint = await bench.endpoint(say)
        await bench.publish()
        async with bench.client() as client:
            await client.send(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert b"Content-Length: 500" in await client.head()
            for status in (b"204", b"304"):
                await client.send(GET)
                assert (await client.head()).startswith(b"HTTP/1.1 " + status)
            await client.send(GET)
            assert (await client.reply()).body == b"ok"
        assert endpoint.connections == 1


async def test_the_same_head_again_means_what_its_own_request_makes_of_it() -> None:
    same = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"

    async def say(connection: Connection) -> None:
        for answer in (same + b"ok", same, same, same + b"OK", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend"):
            await connection.head()
            await connection.send(answer)

    async with Bench() as bench:
        endpoint = await bench.endpoint(say)
        await bench.publish()
        async with bench.client() as client:
            await client.send(GET)
            assert (await client.reply()).body == b"ok"
            for _ in range(2):
                await client.send(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
                assert b"Content-Length: 2" in await client.head()
            for body in (b"OK", b"end"):
                await client.send(GET)
                assert (await client.reply()).body == body
        assert endpoint.connections == 1


@pytest.mark.parametrize(
    ("answer", "status", "token"),
    [
        (b"nonsense\r\n\r\n", 502, b"http_protocol_error"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 502, b"http_protocol_error"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 502, b"http_response_transfer_coding"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 502, b"http_upgrade_failed"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000, 502, b"http_response_header_section_size"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", 502, b"http_response_header_section_size"),
        (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", 502, b"http_protocol_error"),
        (b"", 502, b"connection_terminated"),
    ],
    ids=["nonsense", "ambiguous", "coding", "101", "huge head", "huge whole head", "bare LF", "closed"],
)
async def test_a_broken_answer_is_a_502_with_its_token_and_the_connection_is_not_reused(
    answer: bytes, status: int, token: bytes
) -> None:
    async def say(connection: Connection) -> None:
        await connection.head()
        await connection.send(answer)
        if answer:
            await connection.rest()

    async with Bench(service={"retries": {"max_retries": 0}}) as bench:
        endpoint = await bench.endpoint(say)
        await bench.publish()
        for _ in range(2):
            reply = await bench.ask(GET)
            assert reply.status == status
            assert reply.field(b"proxy-status") == b"gw-test; error=" + token
        assert endpoint.connections == 2


async def test_an_answer_that_breaks_off_is_not_made_to_look_whole() -> None:
    async def half(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        connection.reset()

    async with Bench() as bench:
        await bench.endpoint(half)
        await bench.publish()
        async with bench.client() as client:
            await client.send(GET)
            await client.head()
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await client.exactly(100)
        await until(lambda: bool(bench.log), "the request is logged")
        assert (bench.log[0]["status"], bench.log[0]["reason"]) == (200, "reset")


async def test_bytes_beyond_an_answer_reach_nobody() -> None:
    async def too_much(connection: Connection) -> None:
        await connection.head()
        await connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        )
        await connection.rest()

    async with Bench() as bench:
        endpoint = await bench.endpoint(too_much)
        await bench.publish()
        async with bench.client() as client:
            for _ in range(3):
                await client.send(GET)
                assert (await client.reply()).body == b"ok"
        assert endpoint.connections == 3


async def test_no_answer_in_time_is_a_504() -> None:
    async def silent(connection: Connection) -> None:
        await connection.head()
        await connection.rest()

    async with Bench(service={"timeouts": {"response_head": "200ms"}}) as bench:
        await bench.endpoint(silent)
        await bench.publish()
        reply = await bench.ask(GET)
        assert reply.status == 504
        assert reply.field(b"proxy-status") == b"gw-test; error=http_response_timeout"


async def test_an_answer_that_stops_coming_is_cut() -> None:
    async def stall(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await connection.rest()

    async with Bench(service={"timeouts": {"idle": "200ms"}}) as bench:
        await bench.endpoint(stall)
        await bench.publish()
        async with bench.client() as client:
            await client.send(GET)
            await client.head()
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await client.exactly(10)
        await until(lambda: bool(bench.log), "the request is logged")
        assert bench.log[0]["reason"] == "answer_timeout"


async def test_a_port_that_nobody_listens_on_is_a_502_and_one_that_never_answers_a_504() -> None:
    async with Bench(service={"retries": {"max_retries": 0}}) as bench:
        bench.dead_address()
        await bench.publish()
        reply = await bench.ask(GET)
        assert (reply.status, reply.field(b"proxy-status")) == (502, b"gw-test; error=connection_refused")
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)  # noqa: FBT003 - the socket module's own signature
            one.connect_ex(address)
        document = {"timeouts": {"connect": "200ms"}, "retries": {"max_retries": 0}}
        async with Bench(service=document) as bench:
            bench.add_address(f"127.0.0.1:{address[1]}")
            await bench.publish()
            reply = await bench.ask(GET)
            assert (reply.status, reply.field(b"proxy-status")) == (504, b"gw-test; error=connection_timeout")
        for one in crowd:
            one.close()
