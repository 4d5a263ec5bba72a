"""Limits, tenants and shedding on a real data plane."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.harness.dataplane import Bench, Connection, until


def get(path: str = "/", **headers: str) -> bytes:
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n".encode()


def limited(**limit: Any) -> dict[str, Any]:
    return {"rate_limit": [{"key": ["header:X-Client"], "rate": "1/m", "burst": 2, **limit}]}


async def test_a_client_over_its_limit_is_told_when_to_come_back_and_others_are_served() -> None:
    async with Bench(route=limited()) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        async with bench.client() as client:
            statuses = []
            for _ in range(3):
                await client.send(get(X_Client="a"))
                reply = await client.reply()
                statuses.append(reply.status)
            assert statuses == [200, 200, 429]
            assert reply.problem["reason"] == "rate_limited"
            assert reply.problem["rule"] == "all-1"
            assert reply.field(b"ratelimit-policy") == b'"all-1";q=2;w=120'
            retry = int(reply.field(b"retry-after") or b"0")
            assert 50 <= retry <= 60
            assert reply.field(b"ratelimit") == b'"all-1";r=0;t=%d' % retry
            await client.send(get(X_Client="b"))
            assert (await client.reply()).status == 200, "on the same connection, counted by another key"
        assert len(endpoint.received) == 3


async def test_a_reload_forgets_no_count() -> None:
    async with Bench(route=limited()) as bench:
        await bench.endpoint()
        await bench.publish()
        assert [(await bench.ask(get(X_Client="a"))).status for _ in range(2)] == [200, 200]
        await bench.publish()
        assert (await bench.ask(get(X_Client="a"))).status == 429


async def test_routes_that_write_the_same_limit_by_service_count_together_and_others_do_not() -> None:
    def route(name: str, service: str, burst: int = 3) -> dict[str, Any]:
        limit = {"key": ["service", "header:X-Client"], "rate": "1/m", "burst": burst}
        return {"id": name, "match": {"path": f"/{name}"}, "service": service, "rate_limit": [limit]}

    routes = [route("one", "api"), route("two", "api"), route("elsewhere", "other"), route("differs", "api", 1)]
    async with Bench(routes=routes) as bench:
        await bench.endpoint()
        await bench.service("other")
        await bench.publish()

        async def statuses(*paths: str, client: str = "a") -> list[int]:
            return [(await bench.ask(get(path, X_Client=client))).status for path in paths]

        assert await statuses("/one", "/two", "/one", "/two", "/one") == [200, 200, 200, 429, 429]
        assert await statuses("/elsewhere", "/differs", "/differs") == [200, 200, 429]
        assert await statuses("/two", client="b") == [200], "another client"


async def test_delayed_requests_go_at_the_rate_and_the_longest_delay_and_queue_are_kept() -> None:
    delay = {"rate": "20/s", "burst": 1, "on_exceed": "delay", "max_delay": "120ms", "max_queue": 10}
    async with Bench(route=limited(**delay)) as bench:
        await bench.endpoint()
        await bench.publish()
        began = time.monotonic()
        replies = await asyncio.gather(*(bench.ask(get(X_Client="a")) for _ in range(5)))
        took = time.monotonic() - began
        assert sorted(reply.status for reply in replies) == [200, 200, 200, 429, 429]
        assert 0.09 < took < 1.0
        assert (await bench.ask(get(X_Client="b"))).status == 200


async def test_a_full_queue_refuses_and_a_client_that_leaves_makes_place() -> None:
    queue = {"rate": "1/s", "burst": 1, "on_exceed": "queue", "max_queue": 1}
    async with Bench(route=limited(**queue)) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        assert (await bench.ask(get(X_Client="a"))).status == 200
        waiting = await bench.connect()
        await waiting.send(get(X_Client="a"))
        await asyncio.sleep(0.05)
        refused = await bench.ask(get(X_Client="a"))
        assert (refused.status, refused.problem["reason"]) == (429, "queue_full")
        waiting.reset()
        await until(lambda: any(line.get("reason") == "client_left" for line in bench.log), "it is seen to have left")
        assert (await bench.ask(get(X_Client="a"))).status == 200
        assert len(endpoint.received) == 2


async def test_a_drain_waits_for_those_that_are_held() -> None:
    queue = {"rate": "5/s", "burst": 1, "on_exceed": "queue"}
    async with Bench(route=limited(**queue)) as bench:
        await bench.endpoint()
        await bench.publish()
        await bench.ask(get(X_Client="a"))
        client = await bench.connect()
        await client.send(get(X_Client="a"))
        await asyncio.sleep(0.05)
        assert await bench.plane.drain(5.0) == 0
        reply = await client.reply()
        assert (reply.status, reply.field(b"connection")) == (200, b"close")


async def test_tenants_have_quotas_of_their_own_and_bounded_labels() -> None:
    tenants = {"default": {"rate": "1/m", "burst": 1}, "acme": {"rate": "1/m", "burst": 2}}
    async with Bench(route={"tenant": "header:X-Tenant"}, document={"tenants": tenants}) as bench:
        await bench.endpoint()
        await bench.publish()

        async def statuses(name: str, times: int) -> list[int]:
            return [(await bench.ask(get(X_Tenant=name))).status for _ in range(times)]

        assert await statuses("acme", 3) == [200, 200, 429]
        assert await statuses("one", 2) == [200, 429]
        assert await statuses("two", 2) == [200, 429]
        counts = {(one.tenant, one.outcome): one.count for one in bench.plane.report().tenants}
        assert counts == {
            ("acme", "admitted"): 2,
            ("acme", "limited"): 1,
            ("other", "admitted"): 2,
            ("other", "limited"): 2,
        }


async def test_under_too_many_requests_batch_is_shed_before_interactive_and_critical_last() -> None:
    release = asyncio.Event()

    async def slow(connection: Connection) -> None:
        while True:
            await connection.head()
            await release.wait()
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    overload = {"max_requests": 4, "target_delay": "10s", "memory": "100%"}
    async with Bench(routes=ranked_routes(), document={"overload": overload}) as bench:
        await bench.endpoint(slow)
        await bench.publish()
        held = []

        async def hold() -> None:
            client = await bench.connect()
            await client.send(get("/critical"))
            held.append(client)
            await until(lambda: bench.plane.door.in_flight == len(held), "it is under way")

        outcomes = []
        for _ in range(4):
            await hold()
            outcomes.append([await _status(bench, rank) for rank in ("batch", "interactive", "critical")])
        assert outcomes[1] == [0, 0, 0]
        assert outcomes[2] == [503, 503, 0]
        assert outcomes[3] == [503, 503, 503]
        release.set()
        for client in held:
            assert (await client.reply()).status == 200
            client.close()
        await until(lambda: bench.plane.door.in_flight == 0, "all have ended")
        reply = await bench.ask(get("/batch"))
        assert reply.status == 200


async def _status(bench: Bench, rank: str) -> int:
    """What a request gets at once; 0 when it is let in, and is then given up."""
    client = await bench.connect()
    before = bench.plane.door.in_flight
    await client.send(get(f"/{rank}"))
    reader = client.reader
    try:
        async with asyncio.timeout(0.1):
            head = await reader.readuntil(b"\r\n\r\n")
    except TimeoutError:
        client.reset()
        await until(lambda: bench.plane.door.in_flight == before, "it is gone")
        return 0
    client.close()
    assert b"\r\nRetry-After: " in head
    return int(head.split(b" ")[1])


async def ranks(bench: Bench) -> dict[str, Any]:
    """What a request of each rank gets: its status, or why it was turned away."""
    found: dict[str, Any] = {}
    for rank in ("batch", "interactive", "critical"):
        reply = await bench.ask(get(f"/{rank}"))
        found[rank] = reply.problem["detail"] if reply.status == 503 else reply.status
    return found


def ranked_routes() -> list[dict[str, Any]]:
    return [
        {"id": rank, "match": {"path": f"/{rank}"}, "service": "api", "importance": rank}
        for rank in ("batch", "interactive", "critical")
    ]


class Hog:
    """Keeps the event loop busy: each of its turns takes so long."""

    def __init__(self, turn_s: float) -> None:
        self._turn_s = turn_s
        self.is_on = True
        self._turn()

    def _turn(self) -> None:
        end = time.monotonic() + self._turn_s
        while time.monotonic() < end:
            pass
        if self.is_on:
            asyncio.get_running_loop().call_soon(self._turn)


async def test_a_loop_that_is_late_turns_batch_away_and_critical_not_and_all_come_back() -> None:
    overload = {"max_requests": 1000, "target_delay": "25ms", "memory": "100%"}
    async with Bench(routes=ranked_routes(), document={"overload": overload}) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        assert await ranks(bench) == {"batch": 200, "interactive": 200, "critical": 200}
        hog = Hog(0.06)  # between 40 and 60 ms late: over the target, far from five times the target
        try:
            await until(lambda: bench.plane.report().admission.shed_level > 0, "the loop's delay is seen")
            found = await ranks(bench)
        finally:
            hog.is_on = False
        assert "batch requests are turned away for now, by event-loop delay" in found["batch"]
        assert found["critical"] == 200
        assert not any(b" /batch " in head for head in endpoint.received[3:]), "what is shed reaches no endpoint"
        await until(lambda: bench.plane.report().admission.shed_level == 0, "it relaxes")
        assert await ranks(bench) == {"batch": 200, "interactive": 200, "critical": 200}


async def test_memory_over_its_target_turns_batch_away() -> None:
    overload = {"max_requests": 1000, "target_delay": "10s", "memory": "1%"}
    async with Bench(routes=ranked_routes(), document={"overload": overload}) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        await until(lambda: bench.plane.report().admission.shed_level > 0, "more than a hundredth is in use")
        reply = await bench.ask(get("/batch"))
        assert (reply.status, reply.problem["reason"], reply.field(b"retry-after")) == (503, "shed", b"10")
        assert "by memory" in reply.problem["detail"]
        assert endpoint.connections == 0
        bench.settings["document"] = {"overload": {**overload, "memory": "100%"}}
        await bench.publish()
        assert (await bench.ask(get("/batch"))).status == 200


async def test_a_tunnel_counts_as_no_request() -> None:
    accept = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    async def upgrade(connection: Connection) -> None:
        await connection.head()
        await connection.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        await connection.rest()

    async with Bench(document={"overload": {"max_requests": 4}}) as bench:
        await bench.endpoint(upgrade)
        await bench.publish()
        client = await bench.connect()
        await client.send(
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert (await client.head()).startswith(b"HTTP/1.1 101")
        assert bench.plane.door.in_flight == 0
        client.reset()
        await until(lambda: bool(bench.log), "the tunnel has ended")
        assert bench.plane.door.in_flight == 0
