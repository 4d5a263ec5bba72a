"""Requests through a real data plane: bodies, retries, failures, and what the endpoint really got."""

from __future__ import annotations

import asyncio

import pytest

from gateway.messages import EndpointState
from tests.harness.dataplane import Bench, Connection, always_ok, free_port, until

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


async def test_a_refused_connection_is_followed_by_another_endpoint_even_for_post() -> None:
    async with Bench(service={"load_balancing": {"algorithm": "round_robin"}}) as bench:
        dead = bench.add_address(f"127.0.0.1:{free_port()}")
        endpoint = await bench.endpoint()
        await bench.publish()
        reply = await bench.ask(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
        assert reply.status == 200
        assert len(endpoint.received) == 1
        assert bench.log[0]["attempts"] == 2
        assert bench.log[0]["failures"] == [{"endpoint": dead, "failure": "connection refused"}]


async def test_the_next_region_serves_when_this_one_is_gone() -> None:
    async with Bench(route={"region_routing": {"strategy": "failover"}}) as bench:
        bench.add_address(f"127.0.0.1:{free_port()}", region="eu")
        await bench.endpoint(region="us")
        await bench.publish()
        assert (await bench.ask(GET)).status == 200
        assert bench.log[0]["region"] == "us"


async def test_a_pooled_connection_that_closed_is_replaced_for_idempotent_requests() -> None:
    async def one_then_hang_up(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await connection.head()
        connection.reset()

    async with Bench() as bench:
        endpoint = await bench.endpoint(one_then_hang_up)
        await bench.publish()
        async with bench.client() as client:
            for _ in range(4):
                await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
                assert (await client.reply()).status == 200
        assert endpoint.connections >= 2


async def test_a_post_that_reached_an_endpoint_is_never_sent_twice() -> None:
    async def hang_up(connection: Connection) -> None:
        await connection.head()
        connection.reset()

    async with Bench() as bench:
        first, second = await bench.endpoint(hang_up), await bench.endpoint(hang_up)
        await bench.publish()
        reply = await bench.ask(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
        assert reply.status == 502
        assert (reply.field(b"proxy-status") or b"").endswith(b"error=connection_terminated")
        assert len(first.received) + len(second.received) == 1


async def test_a_503_is_retried_elsewhere_for_a_get_and_passed_on_for_a_post() -> None:
    async def unavailable(connection: Connection) -> None:
        while True:
            await connection.head()
            await connection.send(b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy")

    async with Bench(service={"load_balancing": {"algorithm": "round_robin"}}) as bench:
        busy = await bench.endpoint(unavailable)
        await bench.endpoint(always_ok)
        await bench.publish()
        for _ in range(4):
            assert (await bench.ask(GET)).body == b"ok"
        assert len(busy.received) == 2
        replies = [
            (await bench.ask(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")).status for _ in range(4)
        ]
        assert sorted(replies) == [200, 200, 503, 503]


async def test_when_retries_are_used_up_the_last_answer_is_passed_on() -> None:
    async def unavailable(connection: Connection) -> None:
        while True:
            await connection.head()
            await connection.send(b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy")

    async with Bench() as bench:
        endpoint = await bench.endpoint(unavailable)
        await bench.publish()
        reply = await bench.ask(GET)
        assert (reply.status, reply.body) == (503, b"busy")
        assert reply.field(b"proxy-status") is None
        assert len(endpoint.received) == 3


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


async def test_no_healthy_endpoint_is_a_503_whose_log_line_says_why_each_was_passed_over() -> None:
    async with Bench() as bench:
        ill = bench.add_address("127.0.0.1:9")
        bench.states[ill] = EndpointState("down", "http 503")
        await bench.publish()
        reply = await bench.ask(GET)
        assert reply.status == 503
        assert reply.problem["reason"] == "no_healthy_endpoint"
        assert reply.field(b"retry-after") == b"5"
        assert reply.field(b"proxy-status") == b"gw-test; error=destination_unavailable"
        assert {"region": "eu", "endpoint": ill, "reason": "probe_down: http 503"} in bench.log[0]["passed_over"]
        assert {"region": "us", "endpoint": "", "reason": "no_endpoint_in_region"} in bench.log[0]["passed_over"]


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


async def answered_slowly(connection: Connection) -> None:
    await connection.head()
    await connection.rest()


async def test_a_request_that_waits_too_long_is_sent_to_a_second_endpoint_and_the_first_answer_wins() -> None:
    service = {"load_balancing": {"algorithm": "round_robin"}, "retries": {"hedge_after": "50ms"}}
    async with Bench(service=service) as bench:
        slow, quick = await bench.endpoint(answered_slowly), await bench.endpoint()
        await bench.publish()
        replies = [await bench.ask(GET) for _ in range(2)]
        assert [reply.body for reply in replies] == [b"ok", b"ok"]
        assert (len(slow.received), len(quick.received)) == (1, 2)
        assert [line["attempts"] for line in bench.log] == [2, 1]
        await until(lambda: bench.plane.report().in_flight == 0, "the loser is cancelled")


async def test_a_post_is_never_hedged() -> None:
    service = {"retries": {"hedge_after": "20ms"}, "timeouts": {"response_head": "300ms"}}
    async with Bench(service=service) as bench:
        endpoints = [await bench.endpoint(answered_slowly) for _ in range(2)]
        await bench.publish()
        reply = await bench.ask(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
        assert reply.status == 504
        assert sum(len(endpoint.received) for endpoint in endpoints) == 1


async def test_when_one_copy_of_a_hedged_request_fails_the_other_still_answers() -> None:
    go = asyncio.Event()

    async def late(connection: Connection) -> None:
        await connection.head()
        await go.wait()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def breaks(connection: Connection) -> None:
        await connection.head()
        connection.reset()
        go.set()

    service = {"load_balancing": {"algorithm": "round_robin"}, "retries": {"hedge_after": "50ms", "max_retries": 0}}
    async with Bench(service=service) as bench:
        await bench.endpoint(late)
        await bench.endpoint(breaks)
        await bench.publish()
        assert (await bench.ask(GET)).body == b"ok"


async def test_a_try_that_takes_too_long_is_given_up_for_another() -> None:
    service = {"load_balancing": {"algorithm": "round_robin"}, "retries": {"per_try_timeout": "100ms"}}
    async with Bench(service=service) as bench:
        slow = await bench.endpoint(answered_slowly)
        await bench.endpoint()
        await bench.publish()
        assert (await bench.ask(GET)).body == b"ok"
        assert bench.log[0]["failures"][0]["endpoint"].endswith(str(slow.port))


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


async def test_the_total_time_out_ends_a_request_whatever_it_does() -> None:
    async def drip(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            await connection.send(b"x")
            await asyncio.sleep(0.01)

    async with Bench(service={"timeouts": {"total": "300ms"}}) as bench:
        await bench.endpoint(answered_slowly)
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


async def test_when_every_allowed_endpoint_failed_the_rule_that_forbids_others_is_named() -> None:
    document = {"residency": {"rules": [{"data_type": "profile", "allowed_regions": ["eu"]}]}}
    async with Bench(route={"data_types": ["profile"]}, document=document) as bench:
        bench.add_address(f"127.0.0.1:{free_port()}", region="eu")
        other = await bench.endpoint(region="us")
        await bench.publish()
        reply = await bench.ask(GET)
        assert (reply.status, reply.problem["rule"]) == (502, "profile")
        assert other.connections == 0
