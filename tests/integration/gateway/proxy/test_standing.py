"""Endpoints that fail, answer with errors, refuse connections and recover, under a real data plane."""

from __future__ import annotations

import asyncio
from collections import Counter

from gateway.messages import OperatorState, ResolvedEndpoint
from tests.harness.dataplane import Bench, Connection, always_ok, until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def asked(bench: Bench, count: int) -> Counter[int]:
    statuses: Counter[int] = Counter()
    async with bench.client() as client:
        for _ in range(count):
            await client.send(GET)
            statuses[(await client.reply()).status] += 1
    return statuses


class Moody:
    """Answers with `status`."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.asked = 0

    async def __call__(self, connection: Connection) -> None:
        while True:
            await connection.head()
            self.asked += 1
            await connection.send(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % self.status)


async def test_an_endpoint_that_refuses_connections_costs_one_attempt_and_then_only_trials() -> None:
    async with Bench() as bench:
        await bench.endpoint()
        dead = bench.add_address("127.0.0.1:1")
        await bench.publish()
        assert await asked(bench, 100) == {200: 100}
        assert bench.plane.book.load(dead).attempts == 1
        held = {count.endpoint: count.held for count in bench.plane.report().endpoints}
        assert held[dead] == "unreachable"


async def test_whom_control_has_ejected_is_asked_nothing_until_its_time_is_over() -> None:
    outliers = {"interval": "10s", "success_rate_deviations": 1.9, "max_ejected": "50%"}
    async with Bench(service={"outlier_detection": outliers}) as bench:
        good, bad = [await bench.endpoint() for _ in range(2)]
        name = f"api/eu/127.0.0.1:{bad.port}"
        bench.ejected = {name: 60.0}
        await bench.publish()
        assert await asked(bench, 20) == {200: 20}
        assert (len(good.received), len(bad.received)) == (20, 0)
        held = {count.endpoint: count.held for count in bench.plane.report().endpoints}
        assert held[name] == "outlier_ejected"
        bench.ejected = {name: 0.2}
        await bench.publish()
        async with asyncio.timeout(10):
            while not bad.received:
                assert await asked(bench, 20) == {200: 20}


async def test_a_breaker_opens_lets_a_trial_through_and_closes_when_the_endpoint_is_well_again() -> None:
    moody = Moody(500)
    breaker = {"tripping": "consecutive", "max_errors": 3, "open_for": "200ms", "half_open_requests": 1}
    async with Bench(service={"circuit_breaker": breaker, "retries": {"max_retries": 0}}) as bench:
        await bench.endpoint(moody)
        await bench.publish()
        assert await asked(bench, 10) == {500: 3, 503: 7}
        assert moody.asked == 3
        over = next(line["passed_over"] for line in bench.log if line["status"] == 503)
        assert "breaker_open" in str(over)
        moody.status = 200
        await asyncio.sleep(0.25)
        assert await asked(bench, 10) == {200: 10}


async def test_an_endpoint_that_answers_five_errors_in_a_row_is_left_out_and_another_serves() -> None:
    bad = Moody(500)
    async with Bench(service={"outlier_detection": {}, "load_balancing": {"algorithm": "round_robin"}}) as bench:
        await bench.endpoint(bad)
        await bench.endpoint()
        await bench.publish()
        statuses = await asked(bench, 100)
        assert (bad.asked, statuses[500], statuses[200]) == (5, 5, 95)


async def test_a_disabled_endpoint_gets_nothing_and_a_drained_share_is_kept() -> None:
    one, other = Moody(), Moody()
    async with Bench(service={"load_balancing": {"algorithm": "round_robin"}}) as bench:
        first = await bench.endpoint(one)
        await bench.endpoint(other)
        bench.operator = {f"api/eu/127.0.0.1:{first.port}": OperatorState(share=0.25)}
        await bench.publish()
        await asked(bench, 100)
        assert (one.asked, other.asked) == (20, 80)
        bench.operator = {f"api/eu/127.0.0.1:{first.port}": OperatorState(disabled=True)}
        await bench.publish()
        await asked(bench, 20)
        assert (one.asked, other.asked) == (20, 100)


async def test_a_key_stays_with_its_endpoint_while_another_endpoint_goes() -> None:
    balancing = {"algorithm": "consistent_hash", "hash_on": "header:X-User"}
    async with Bench(service={"load_balancing": balancing}) as bench:
        endpoints = [await bench.endpoint(always_ok) for _ in range(3)]
        await bench.publish()
        for user in range(8):
            for _ in range(3):
                await bench.ask(b"GET / HTTP/1.1\r\nHost: a\r\nX-User: u%d\r\n\r\n" % user)
        for endpoint in endpoints:
            users = Counter(head.lower().partition(b"x-user: ")[2][:2] for head in endpoint.received)
            assert set(users.values()) <= {3}
        await until(lambda: sum(len(each.received) for each in endpoints) == 24, "every request arrived once")


async def test_what_endpoints_report_of_their_load_moves_requests() -> None:
    async def busy(connection: Connection) -> None:
        while True:
            await connection.head()
            await connection.send(b"HTTP/1.1 200 OK\r\nTidegate-Load: 0.95\r\nContent-Length: 0\r\n\r\n")

    async def idle(connection: Connection) -> None:
        while True:
            await connection.head()
            await connection.send(b"HTTP/1.1 200 OK\r\nTidegate-Load: 0.05\r\nContent-Length: 0\r\n\r\n")

    async with Bench(service={"load_balancing": {"algorithm": "resource_based"}}) as bench:
        full, free = await bench.endpoint(busy), await bench.endpoint(idle)
        await bench.publish()
        await asked(bench, 100)
        assert len(full.received) < 5
        assert len(free.received) > 90


async def test_whom_a_name_stands_for_has_a_breaker_as_well() -> None:
    moody = Moody(500)
    breaker = {"tripping": "consecutive", "max_errors": 3}
    async with Bench(service={"circuit_breaker": breaker, "retries": {"max_retries": 0}}) as bench:
        server = await bench.endpoint(moody)
        bench._endpoints.clear()
        bench.named("api.test")
        bench.resolved["api/eu/api.test:80"] = (ResolvedEndpoint("127.0.0.1", server.port, "api.test"),)
        await bench.publish()
        assert await asked(bench, 10) == {500: 3, 503: 7}
