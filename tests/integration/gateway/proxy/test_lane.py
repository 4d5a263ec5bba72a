"""Limits of what a service is asked at a time, under a real data plane."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.core.bulkhead import Bulkhead
from tests.harness.dataplane import Bench, Connection, ScriptedEndpoint, always_ok, until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LONG = {"timeouts": {"connect": "30s"}}


class Gate:
    """Endpoints that answer when told, each request in its turn."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.seen: list[bytes] = []
        self.at_once = 0
        self.most = 0

    async def __call__(self, connection: Connection) -> None:
        while True:
            head = await connection.head()
            self.seen.append(head.split(b" ")[1])
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            try:
                await self.open.wait()
            finally:
                self.at_once -= 1
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def bench_of(concurrency: dict[str, Any], **service: Any) -> Bench:
    return Bench(service={"concurrency": concurrency, **LONG, **service})


def bulkhead(bench: Bench) -> Bulkhead[Any]:
    return bench.plane.lane("api").bulkhead


async def begun(bench: Bench, path: bytes) -> Connection:
    client = await bench.connect()
    await client.send(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
    return client


async def waiting(bench: Bench, count: int) -> None:
    await until(lambda: bulkhead(bench).pending == count, f"{count} requests wait")


async def test_so_many_go_the_next_wait_in_their_order_and_there_is_no_room_for_more() -> None:
    async with bench_of({"max_requests": 1, "max_pending": 2}) as bench:
        gate = Gate()
        await bench.endpoint(gate)
        await bench.publish()
        clients = [await begun(bench, b"/0")]
        await until(lambda: gate.seen == [b"/0"], "the first is under way")
        for number in (1, 2):
            clients.append(await begun(bench, b"/%d" % number))
            await waiting(bench, number)
        full = await bench.ask(GET)
        assert (full.status, full.problem["reason"]) == (503, "upstream_pending_limit")
        assert full.field(b"proxy-status") == b"gw-test; error=connection_limit_reached"
        assert full.field(b"retry-after") == b"1"
        gate.open.set()
        assert [(await client.reply()).status for client in clients] == [200, 200, 200]
        assert (gate.seen, gate.most) == ([b"/0", b"/1", b"/2"], 1)
        (told,) = bench.plane.report().services
        assert (told.active, told.pending, told.waited, told.overflowed) == (0, 0, 2, 1)
        waits = {line["path"]: line.get("waited_ms", 0) > 0 for line in bench.log if line["status"] == 200}
        assert waits == {"/0": False, "/1": True, "/2": True}


async def test_a_wait_ends_with_the_time_that_a_connection_may_take() -> None:
    async with bench_of({"max_requests": 1}, timeouts={"connect": "100ms"}) as bench:
        gate = Gate()
        await bench.endpoint(gate)
        await bench.publish()
        first = await begun(bench, b"/0")
        await until(lambda: len(gate.seen) == 1, "the first is under way")
        late = await bench.ask(GET)
        assert (late.status, late.problem["reason"]) == (503, "pending_timeout")
        assert bulkhead(bench).pending == 0
        gate.open.set()
        assert (await first.reply()).status == 200
        assert (await bench.ask(GET)).status == 200


async def test_a_client_that_leaves_gives_its_turn_to_the_next() -> None:
    async with bench_of({"max_requests": 1}) as bench:
        gate = Gate()
        await bench.endpoint(gate)
        await bench.publish()
        first = await begun(bench, b"/0")
        await until(lambda: len(gate.seen) == 1, "the first is under way")
        leaver = await begun(bench, b"/1")
        await waiting(bench, 1)
        stayer = await begun(bench, b"/2")
        await waiting(bench, 2)
        leaver.reset()
        await waiting(bench, 1)
        gate.open.set()
        assert [(await client.reply()).status for client in (first, stayer)] == [200, 200]
        assert gate.seen == [b"/0", b"/2"]
        first.reset()
        await until(lambda: bulkhead(bench).active == 0, "nobody has a place")


async def test_a_client_that_leaves_in_the_middle_gives_its_place_back() -> None:
    async with bench_of({"max_requests": 1}) as bench:
        gate = Gate()
        await bench.endpoint(gate)
        await bench.publish()
        first = await begun(bench, b"/0")
        await until(lambda: len(gate.seen) == 1, "the first is under way")
        second = await begun(bench, b"/1")
        await waiting(bench, 1)
        first.reset()
        await until(lambda: gate.seen == [b"/0", b"/1"], "the second has its turn")
        gate.open.set()
        assert (await second.reply()).status == 200


async def test_a_burst_opens_no_more_connections_than_it_may_and_everybody_is_served() -> None:
    async with bench_of({"max_connections": 3}) as bench:
        gate = Gate()
        endpoint = await bench.endpoint(gate)
        await bench.publish()
        clients = [await begun(bench, b"/%d" % number) for number in range(12)]
        await until(lambda: gate.at_once == 3, "three are under way")
        await waiting(bench, 9)
        gate.open.set()
        assert [(await client.reply()).status for client in clients] == [200] * 12
        assert (gate.most, endpoint.connections) == (3, 3)


async def test_idle_connections_to_one_endpoint_make_room_for_another() -> None:
    async with bench_of({"max_connections": 1}, load_balancing={"algorithm": "round_robin"}) as bench:
        endpoints = [await bench.endpoint() for _ in range(2)]
        await bench.publish()
        assert [(await bench.ask(GET)).status for _ in range(4)] == [200] * 4
        assert [len(endpoint.received) for endpoint in endpoints] == [2, 2]
        assert bench.plane.pool.open_by_service["api"] == 1


async def test_a_retry_finds_its_connection_though_only_one_is_allowed() -> None:
    async def fails(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        await connection.head()

    async with bench_of({"max_connections": 1}, load_balancing={"algorithm": "round_robin"}) as bench:
        await bench.endpoint(fails)
        await bench.endpoint(always_ok)
        await bench.publish()
        assert [(await bench.ask(GET)).status for _ in range(4)] == [200] * 4
        assert bulkhead(bench).active == 0


async def test_a_body_that_comes_while_its_request_waits_arrives_whole() -> None:
    body = b"x" * 300_000

    async def reads(connection: Connection) -> None:
        while True:
            if b"POST" in await connection.head():
                assert await connection.exactly(len(body)) == body
            else:
                await go.wait()
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def let_go() -> None:
        await waiting(bench, 1)
        go.set()

    go = asyncio.Event()
    async with bench_of({"max_requests": 1}) as bench:
        endpoint = await bench.endpoint(reads)
        await bench.publish()
        first = await begun(bench, b"/0")
        await until(lambda: len(endpoint.received) == 1, "the first is under way")
        second = await bench.connect()
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
        await asyncio.gather(second.send(head + body), let_go())
        assert (await first.reply()).status == 200
        assert (await second.reply()).status == 200


async def test_tunnels_give_their_place_back() -> None:
    async def agree(connection: Connection) -> None:
        if b"websocket" in await connection.head():
            await connection.send(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
            )
            await connection.rest()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with bench_of({"max_requests": 1}) as bench:
        await bench.endpoint(agree)
        await bench.publish()
        async with bench.client() as tunnel:
            await tunnel.send(
                b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            assert b" 101 " in await tunnel.head()
            assert (await bench.ask(GET)).status == 200
            assert bulkhead(bench).active == 0
        await until(lambda: bulkhead(bench).in_use == 0, "the tunnel's connection is counted no more")


async def test_a_reload_changes_the_limits_of_those_who_wait_and_forgets_nobody() -> None:
    async with bench_of({"max_requests": 1}) as bench:
        gate = Gate()
        await bench.endpoint(gate)
        await bench.publish()
        clients = [await begun(bench, b"/%d" % number) for number in range(4)]
        await waiting(bench, 3)
        bench.settings["service"]["concurrency"] = {"max_requests": 3}
        await bench.publish()
        await until(lambda: gate.at_once == 3, "three are under way")
        bench.settings["service"]["concurrency"] = {"max_requests": 1}
        await bench.publish()
        gate.open.set()
        assert [(await client.reply()).status for client in clients] == [200] * 4
        assert (bulkhead(bench).active, bulkhead(bench).pending) == (0, 0)


async def test_every_endpoint_that_recovers_is_chosen_again_with_limits_and_sticky_sessions(tmp_path: Any) -> None:
    async def mood(connection: Connection) -> None:
        while True:
            await connection.head()
            await connection.send(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)

    status = 500
    breaker = {"tripping": "consecutive", "max_errors": 2, "open_for": "100ms", "half_open_requests": 1}
    document = {"node": {"id": "gw-test", "region": "eu", "data_dir": str(tmp_path)}}
    limits = {"max_requests": 2, "max_connections": 2}
    service = {"concurrency": limits, "sticky_session": {}, "circuit_breaker": breaker, "retries": {"max_retries": 0}}
    async with Bench(service=service, document=document) as bench:
        sick = await bench.endpoint(mood)
        await bench.endpoint()
        await bench.publish()
        await until_held(bench, sick)
        status = 200

        async def asked() -> int:
            await asyncio.gather(*(bench.ask(GET) for _ in range(4)))
            return len(sick.received)

        before = len(sick.received)
        async with asyncio.timeout(10):
            while await asked() < before + 4:
                pass
        assert (bulkhead(bench).active, bulkhead(bench).pending) == (0, 0)


async def until_held(bench: Bench, endpoint: ScriptedEndpoint) -> None:
    """Until its breaker is open."""
    load = bench.plane.book.load(f"api/eu/127.0.0.1:{endpoint.port}")
    async with asyncio.timeout(10):
        while load.breaker is None or load.breaker.is_closed:
            await bench.ask(GET)


async def test_the_adaptive_limit_follows_what_answers_take() -> None:
    together = asyncio.Barrier(20)

    async def meets(connection: Connection) -> None:
        while True:
            await connection.head()
            await together.wait()
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def one(client: Connection) -> int:
        await client.send(GET)
        return (await client.reply()).status

    async with bench_of({"adaptive": True}) as bench:
        await bench.endpoint(meets)
        await bench.publish()
        assert bulkhead(bench).limit == 20
        clients = [await bench.connect() for _ in range(20)]
        async with asyncio.timeout(20):
            while bulkhead(bench).limit == 20:
                assert await asyncio.gather(*(one(client) for client in clients)) == [200] * 20
        (told,) = bench.plane.report().services
        assert told.limit == bulkhead(bench).limit
