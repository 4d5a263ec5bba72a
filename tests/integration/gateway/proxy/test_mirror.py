"""Copies of requests through a real data plane: what the other service got, and that the original never noticed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.core.mirroring import MAX_HELD_BY_ONE
from tests.harness.dataplane import Bench, Connection, ScriptedEndpoint, until

GET = b"GET /a?b=1 HTTP/1.1\r\nHost: h\r\nCookie: c=1\r\n\r\n"
ALL = {"mirror": {"service": "shadow", "percent": "100%"}}


def outcomes(bench: Bench) -> dict[str, int]:
    """Taken: each is seen once."""
    return {count.outcome: count.count for count in bench.plane.report().mirrors}


async def ended(bench: Bench) -> dict[str, int]:
    found: dict[str, int] = {}

    def some() -> bool:
        found.update(outcomes(bench))
        return bool(found) and not bench.plane.mirrors.under_way

    await until(some, "a copy ends")
    assert bench.plane.mirrors.held_bytes == 0
    return found


async def put(size: int, *, chunked: bool = False) -> tuple[bytes, bytes]:
    body = bytes(range(256)) * (size // 256)
    if chunked:
        framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        return b"PUT /up HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", framed
    return b"PUT /up HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body), body


def taking(got: list[bytes], *, chunked: bool = False) -> Any:
    """An endpoint that reads bodies whole, and answers."""

    async def script(connection: Connection) -> None:
        while True:
            head = await connection.head()
            body = b""
            if chunked:
                while size := int(await connection.exactly_line(), 16):
                    body += await connection.exactly(size)
                    await connection.exactly(2)
                await connection.exactly(2)
            elif b"Content-Length: " in head:
                body = await connection.exactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]))
            got.append(body)
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    return script


async def never(connection: Connection) -> None:
    await connection.head()
    await connection.rest()


async def test_a_copy_is_the_same_request_marked_and_its_answer_is_thrown_away() -> None:
    async def teapot(connection: Connection) -> None:
        while True:
            await connection.head()
            await connection.send(b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 5\r\n\r\nshort")

    async with Bench(route=ALL) as bench:
        original = await bench.endpoint()
        shadow = await bench.service("shadow", teapot)
        await bench.publish()
        for _ in range(2):
            reply = await bench.ask(GET.replace(b"Cookie", b"tidegate-mirror: forged\r\nCookie"))
            assert (reply.status, reply.body) == (200, b"ok")
            assert await ended(bench) == {"4xx": 1}
        assert shadow.received[0].replace(b"Tidegate-Mirror: all\r\n", b"") == original.received[0]
        assert b"forged" not in shadow.received[0]
        assert b"\r\nTidegate-Mirror: all\r\n" in shadow.received[0]
        assert shadow.connections == 1
        assert [line["mirror"] for line in bench.log] == ["shadow", "shadow"]


async def test_a_share_of_requests_is_copied() -> None:
    async with Bench(route={"mirror": {"service": "shadow", "percent": "25%"}}) as bench:
        await bench.endpoint()
        shadow = await bench.service("shadow")
        await bench.publish()
        async with bench.client() as client:
            for _ in range(400):
                await client.send(GET)
                assert (await client.reply()).status == 200
        await until(lambda: not bench.plane.mirrors.under_way, "all copies end")
        assert 60 < len(shadow.received) < 140


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_is_copied_as_it_comes(chunked: bool) -> None:
    head, body = await put(8 << 20, chunked=chunked)
    first: list[bytes] = []
    second: list[bytes] = []
    async with Bench(route=ALL) as bench:
        await bench.endpoint(taking(first, chunked=chunked))
        await bench.service("shadow", taking(second, chunked=chunked))
        await bench.publish()
        client = await bench.connect()
        # A piece a time: the copy's endpoint runs on this very loop, and has to get its turn.
        await client.send(head)
        for at in range(0, len(body), 65536):
            await client.send(body[at : at + 65536])
            await asyncio.sleep(0)
        assert (await client.reply()).status == 200
        assert await ended(bench) == {"2xx": 1}
        assert second == first


async def test_a_service_that_does_not_read_loses_its_copy_and_the_original_goes_on() -> None:
    head, body = await put(MAX_HELD_BY_ONE + (12 << 20))
    got: list[bytes] = []
    async with Bench(route=ALL) as bench:
        await bench.endpoint(taking(got))

        async def deaf(connection: Connection) -> None:
            await connection.head()
            await until(lambda: bool(got), "the original is there")

        await bench.service("shadow", deaf)
        await bench.publish()
        client = await bench.connect()
        await client.send(head + body)
        assert (await client.reply()).status == 200
        assert got == [body]
        assert await ended(bench) == {"copy_too_slow": 1}
        assert bench.log[0]["mirror"] == "shadow: copy_too_slow"


async def silent(bench: Bench) -> ScriptedEndpoint:
    return await bench.service("shadow", never)


async def refusing(bench: Bench) -> None:
    bench.settings["more_services"] = [{"id": "shadow", "endpoints": [{"region": "eu", "address": "127.0.0.1:1"}]}]


async def nonsense(bench: Bench) -> ScriptedEndpoint:
    async def script(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"what?\r\n\r\n")

    return await bench.service("shadow", script)


async def hanging_up(bench: Bench) -> ScriptedEndpoint:
    async def script(connection: Connection) -> None:
        await connection.head()
        connection.reset()

    return await bench.service("shadow", script)


@pytest.mark.parametrize(
    ("shadow", "outcome"),
    [
        (silent, "answer_timeout"),
        (refusing, "connect_failure"),
        (nonsense, "malformed_answer"),
        (hanging_up, "reset"),
    ],
)
async def test_whatever_becomes_of_the_copy_the_original_is_answered(shadow: Any, outcome: str) -> None:
    async with Bench(route=ALL) as bench:
        await bench.endpoint()
        await shadow(bench)
        bench.settings["more_services"][0]["timeouts"] = {"response_head": "300ms"}
        await bench.publish()
        reply = await bench.ask(GET)
        assert (reply.status, reply.body) == (200, b"ok")
        assert await ended(bench) == {outcome: 1}


async def test_a_copy_never_crosses_a_border_and_one_that_may_is_on_record() -> None:
    regions = [{"id": "eu", "priority": 1}, {"id": "ie", "priority": 2}, {"id": "us", "priority": 3}]
    residency = {"rules": [{"data_type": "profile", "allowed_regions": ["eu", "ie"]}], "audit": {}}
    for region, outcome in (("us", "no_healthy_endpoint"), ("ie", "2xx")):
        async with Bench(
            regions=regions, route={**ALL, "data_types": ["profile"]}, document={"residency": residency}
        ) as bench:
            await bench.endpoint()
            shadow = await bench.service("shadow", region=region)
            await bench.publish()
            assert (await bench.ask(GET)).status == 200
            assert await ended(bench) == {outcome: 1}
            assert len(shadow.received) == shadow.connections == (1 if region == "ie" else 0)
            crossed = [(record["kind"], record["destination"], record["purpose"]) for record in bench.audited]
            assert crossed == ([("transfer", "ie", "mirror")] if region == "ie" else [])


async def test_copies_under_way_are_bounded_and_let_go_when_the_node_stops() -> None:
    async with Bench(route=ALL) as bench:
        await bench.endpoint()
        shadow = await bench.service("shadow", never)
        await bench.publish()
        mirrors = bench.plane.mirrors = type(bench.plane.mirrors)(workers=256)
        for _ in range(5):
            assert (await bench.ask(GET)).status == 200
        assert outcomes(bench) == {"too_many_copies": 3}
        await until(lambda: len(shadow.received) == 2, "two copies are under way")
        assert len(mirrors.under_way) == 2
        await bench.plane.drain(0.0)
        assert outcomes(bench) == {"node_stopped": 2}


@pytest.mark.parametrize(
    ("concurrency", "outcome"),
    [
        ({"max_requests": 2, "max_pending": 100}, "service_full"),
        ({"max_connections": 2}, "upstream_connection_limit"),
    ],
)
async def test_a_service_that_is_full_gets_no_copy_and_the_original_does_not_wait(
    concurrency: dict[str, int], outcome: str
) -> None:
    answering = asyncio.Event()

    async def slow(connection: Connection) -> None:
        while True:
            await connection.head()
            await answering.wait()
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with Bench(route=ALL) as bench:
        await bench.endpoint()
        shadow = await bench.service("shadow", slow)
        bench.settings["more_services"][0]["concurrency"] = concurrency
        await bench.publish()
        for _ in range(5):
            assert (await bench.ask(GET)).status == 200
        assert outcomes(bench) == {outcome: 3}
        await until(lambda: len(shadow.received) == 2, "two copies are under way")
        bulkhead = bench.plane.lane("shadow").bulkhead
        assert (bulkhead.active, bulkhead.pending, bulkhead.overflowed) == (2, 0, 0)
        # Places come free with the copies, and the connections serve the next ones.
        answering.set()
        assert await ended(bench) == {"2xx": 2}
        assert bulkhead.active == 0
        for _ in range(2):
            assert (await bench.ask(GET)).status == 200
            assert await ended(bench) == {"2xx": 1}
        assert shadow.connections == 2


async def test_every_way_in_which_a_copy_ends_gives_its_place_back() -> None:
    async with Bench(route=ALL) as bench:
        await bench.endpoint()
        await refusing(bench)
        bench.settings["more_services"][0]["concurrency"] = {"max_requests": 1}
        await bench.publish()
        for _ in range(3):
            assert (await bench.ask(GET)).status == 200
            assert await ended(bench) == {"connect_failure": 1}
        assert bench.plane.lane("shadow").bulkhead.active == 0


async def test_who_asks_the_service_itself_waits_for_its_copies_no_longer_than_for_others() -> None:
    answering = asyncio.Event()

    async def slow(connection: Connection) -> None:
        while True:
            await connection.head()
            await answering.wait()
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    routes = [
        {"id": "direct", "match": {"path": "/direct"}, "service": "shadow"},
        {"id": "all", "match": {"path": "/*"}, "service": "api", **ALL},
    ]
    async with Bench(routes=routes) as bench:
        await bench.endpoint()
        await bench.service("shadow", slow)
        bench.settings["more_services"][0]["concurrency"] = {"max_requests": 1}
        await bench.publish()
        assert (await bench.ask(GET)).status == 200
        client = await bench.connect()
        await client.send(GET.replace(b"/a?b=1", b"/direct"))
        bulkhead = bench.plane.lane("shadow").bulkhead
        await until(lambda: bulkhead.pending == 1, "it waits for the copy's place")
        answering.set()
        assert (await client.reply()).status == 200


async def test_a_client_that_leaves_in_the_middle_takes_its_copy_along() -> None:
    async with Bench(route=ALL) as bench:
        await bench.endpoint(never)
        shadow = await bench.service("shadow", never)
        await bench.publish()
        client = await bench.connect()
        await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345")
        await until(lambda: len(shadow.received) == 1, "the copy is under way")
        client.reset()
        assert await ended(bench) == {"client_left": 1}


async def test_an_answer_that_is_too_large_is_let_go() -> None:
    pieces = asyncio.Event()

    async def stream(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await connection.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            pieces.set()

    async with Bench(route=ALL) as bench:
        await bench.endpoint()
        await bench.service("shadow", stream)
        await bench.publish()
        assert (await bench.ask(GET)).status == 200
        await pieces.wait()
        assert await ended(bench) == {"2xx": 1}


async def test_a_request_that_waits_for_100_is_copied_without_waiting() -> None:
    async def agreeing(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await connection.exactly(5)
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    got: list[bytes] = []
    async with Bench(route=ALL) as bench:
        await bench.endpoint(agreeing)
        shadow = await bench.service("shadow", taking(got))
        await bench.publish()
        client = await bench.connect()
        await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 100 ")
        await client.send(b"12345")
        assert (await client.reply()).status == 200
        assert await ended(bench) == {"2xx": 1}
        assert got == [b"12345"]
        assert b"Expect" not in shadow.received[0]


async def test_a_node_that_sheds_makes_no_copies() -> None:
    async with Bench(route={**ALL, "importance": "critical"}, document={"overload": {}}) as bench:
        await bench.endpoint()
        shadow = await bench.service("shadow")
        await bench.publish()
        shedding = bench.plane.door.shedding
        assert shedding is not None
        shedding.level = 1
        assert (await bench.ask(GET)).status == 200
        assert outcomes(bench) == {"shed": 1}
        assert shadow.received == []
