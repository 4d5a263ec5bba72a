"""Answers of the gateway's own, as a client gets them. What decorates them: test_shaped.py and test_explaining.py."""

from __future__ import annotations

from tests.harness.dataplane import Bench


async def test_a_method_that_no_route_takes_is_a_405_that_says_which_would() -> None:
    routes = [{"id": "r", "match": {"path": "/x", "methods": ["GET", "PUT"]}, "service": "api"}]
    async with Bench(routes=routes) as bench:
        await bench.endpoint()
        await bench.publish()
        reply = await bench.ask(b"DELETE /x HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (reply.status, reply.field(b"allow")) == (405, b"GET, PUT")
        reply = await bench.ask(b"GET /y HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (reply.status, reply.problem["reason"]) == (404, "no_route")
        assert reply.field(b"proxy-status") == b"gw-test; error=destination_not_found"


async def test_an_unknown_route_with_a_body_is_answered_and_closed_without_reading_it() -> None:
    async with Bench(routes=[{"id": "r", "match": {"path": "/x"}, "service": "api"}]) as bench:
        await bench.endpoint()
        await bench.publish()
        client = await bench.connect()
        await client.send(
            b"POST /y HTTP/1.1\r\nHost: h\r\nContent-Length: 29\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n"
        )
        reply = await client.reply()
        assert (reply.status, reply.field(b"connection")) == (404, b"close")
        assert await client.rest() == b""
