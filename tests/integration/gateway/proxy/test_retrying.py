"""Sent once more through a real data plane, or not: after failures, instead of answers, beside slow ones."""

from __future__ import annotations

import asyncio

from tests.harness.dataplane import Bench, Connection, always_ok, never_answer, until

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


async def test_a_refused_connection_is_followed_by_another_endpoint_even_for_post() -> None:
    async with Bench(service={"load_balancing": {"algorithm": "round_robin"}}) as bench:
        dead = bench.dead_address()
        endpoint = await bench.endpoint()
        await bench.publish()
        reply = await bench.ask(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
        assert reply.status == 200
        assert len(endpoint.received) == 1
        assert bench.log[0]["attempts"] == 2
        assert bench.log[0]["failures"] == [{"endpoint": dead, "failure": "connection refused"}]


async def test_the_next_region_serves_when_this_one_is_gone() -> None:
    async with Bench(route={"region_routing": {"strategy": "failover"}}) as bench:
        bench.dead_address(region="eu")
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


async def test_a_request_that_waits_too_long_is_sent_to_a_second_endpoint_and_the_first_answer_wins() -> None:
    service = {"load_balancing": {"algorithm": "round_robin"}, "retries": {"hedge_after": "50ms"}}
    async with Bench(service=service) as bench:
        slow, quick = await bench.endpoint(never_answer), await bench.endpoint()
        await bench.publish()
        replies = [await bench.ask(GET) for _ in range(2)]
        assert [reply.body for reply in replies] == [b"ok", b"ok"]
        assert (len(slow.received), len(quick.received)) == (1, 2)
        assert [line["attempts"] for line in bench.log] == [2, 1]
        await until(lambda: bench.plane.report().in_flight == 0, "the loser is cancelled")


async def test_a_post_is_never_hedged() -> None:
    service = {"retries": {"hedge_after": "20ms"}, "timeouts": {"response_head": "300ms"}}
    async with Bench(service=service) as bench:
        endpoints = [await bench.endpoint(never_answer) for _ in range(2)]
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
        slow = await bench.endpoint(never_answer)
        await bench.endpoint()
        await bench.publish()
        assert (await bench.ask(GET)).body == b"ok"
        assert bench.log[0]["failures"][0]["endpoint"].endswith(str(slow.port))


async def test_when_every_allowed_endpoint_failed_the_rule_that_forbids_others_is_named() -> None:
    document = {"residency": {"rules": [{"data_type": "profile", "allowed_regions": ["eu"]}]}}
    async with Bench(route={"data_types": ["profile"]}, document=document) as bench:
        bench.dead_address(region="eu")
        other = await bench.endpoint(region="us")
        await bench.publish()
        reply = await bench.ask(GET)
        assert (reply.status, reply.problem["rule"]) == (502, "profile")
        assert other.connections == 0
