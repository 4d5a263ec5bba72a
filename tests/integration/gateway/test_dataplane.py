"""Publications, trials, drains and reports of a real data plane."""

from __future__ import annotations

import asyncio

import pytest

from config.core.staleness import stale_after_s
from gateway.errors import PublicationRefused
from gateway.messages import EndpointState, Parts, Publication, ResolvedEndpoint
from tests.harness.dataplane import Bench, Connection, always_ok, until

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


async def test_before_the_first_publication_it_says_that_it_is_starting() -> None:
    async with Bench() as bench:
        await bench.endpoint()
        await bench.publish()
        bench.plane.snapshot = None
        reply = await bench.ask(GET)
        assert (reply.status, reply.problem["reason"]) == (503, "starting")


async def test_a_down_verdict_moves_traffic_and_an_up_one_brings_it_back() -> None:
    async with Bench(service={"load_balancing": {"algorithm": "round_robin", "slow_start": "0s"}}) as bench:
        first, second = await bench.endpoint(), await bench.endpoint()
        await bench.publish()
        name = f"api/eu/127.0.0.1:{first.port}"
        bench.states[name] = EndpointState("down", "connection refused")
        await bench.publish()
        for _ in range(6):
            await bench.ask(GET)
        assert (len(first.received), len(second.received)) == (0, 6)
        bench.states[name] = EndpointState("up", "http 200")
        await bench.publish()
        for _ in range(6):
            await bench.ask(GET)
        assert (len(first.received), len(second.received)) == (3, 9)


async def test_a_publication_without_its_configuration_is_refused_and_the_old_one_stays() -> None:
    async with Bench() as bench:
        await bench.endpoint()
        await bench.publish()
        version = bench.plane.version
        with pytest.raises(PublicationRefused):
            bench.plane.publish(Publication(version=9, config_digest="unknown"))
        with pytest.raises(PublicationRefused):
            bench.plane.publish(Publication(version=9, config_digest="broken", config='{"version": 1}'))
        assert bench.plane.version == version
        assert (await bench.ask(GET)).status == 200


async def test_a_request_in_flight_notices_no_reload() -> None:
    go = asyncio.Event()

    async def later(connection: Connection) -> None:
        await connection.head()
        await go.wait()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with Bench() as bench:
        endpoint = await bench.endpoint(later)
        await bench.publish()
        async with bench.client() as client:
            await client.send(GET)
            await until(lambda: bool(endpoint.received), "the request is in flight")
            bench._endpoints.clear()
            await bench.endpoint(always_ok)
            await bench.publish()
            go.set()
            assert (await client.reply()).body == b"ok"


async def test_what_is_learnt_survives_a_reload_that_changes_nothing() -> None:
    async with Bench() as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        async with bench.client() as client:
            for _ in range(2):
                await client.send(GET)
                await client.reply()
                await bench.publish()
        assert endpoint.connections == 1, "the pooled connection is still used"
        assert bench.plane.book.load(f"api/eu/127.0.0.1:{endpoint.port}").attempts == 2


async def test_an_endpoint_that_is_removed_is_forgotten() -> None:
    async with Bench() as bench:
        before = await bench.endpoint()
        await bench.publish()
        await bench.ask(GET)
        bench._endpoints.clear()
        after = await bench.endpoint()
        await bench.publish()
        assert f"api/eu/127.0.0.1:{before.port}" not in bench.plane.book.loads
        assert set(bench.plane.book.loads) <= {f"api/eu/127.0.0.1:{after.port}"}


async def test_a_down_verdict_that_nobody_confirms_is_tried_and_given_up() -> None:
    async with Bench() as bench:
        endpoint = await bench.endpoint()
        bench.states[f"api/eu/127.0.0.1:{endpoint.port}"] = EndpointState("down", "connection refused")
        await bench.publish()
        assert (await bench.ask(GET)).status == 503
        snapshot = bench.plane.snapshot
        bench.later_s = stale_after_s(5.0)
        await until(lambda: bench.plane.snapshot is not snapshot, "the verdict has gone stale")
        async with asyncio.timeout(10):
            while (await bench.ask(GET)).status == 503:
                pass
        for _ in range(5):
            assert (await bench.ask(GET)).status == 200, "the trial passed: it serves again"


async def test_a_report_has_what_happened_since_the_last_one() -> None:
    async with Bench() as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        for _ in range(3):
            await bench.ask(GET)
        await bench.ask(b"FROB / HTTP/1.1\r\nHost: h\r\n\r\n")
        report = bench.plane.report()
        counted = {(count.route, count.region, count.status, count.reason): count for count in report.routes}
        plain = counted["all", "eu", 200, ""]
        assert (plain.count, sum(plain.buckets)) == (3, 3)
        assert counted["", "", 501, "method_unknown"].count == 1
        assert [(count.endpoint, count.attempts) for count in report.endpoints] == [
            (f"api/eu/127.0.0.1:{endpoint.port}", 3)
        ]
        again = bench.plane.report()
        assert (again.routes, again.endpoints) == ([], [])


async def test_no_more_connections_go_to_a_service_than_it_may_have() -> None:
    go = asyncio.Event()

    async def later(connection: Connection) -> None:
        await connection.head()
        await go.wait()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    limits = {"concurrency": {"max_connections": 1}, "timeouts": {"connect": "100ms"}}
    async with Bench(service=limits) as bench:
        endpoint = await bench.endpoint(later)
        await bench.publish()
        async with bench.client() as client:
            await client.send(GET)
            await until(lambda: bool(endpoint.received), "the only connection is in use")
            reply = await bench.ask(GET)
            assert (reply.status, reply.problem["reason"]) == (503, "pending_timeout")
            assert "all 1 connections" in reply.problem["detail"]
            go.set()
            assert (await client.reply()).status == 200


async def test_whom_a_name_stands_for_changes_and_what_is_learnt_of_the_others_stays() -> None:
    async with Bench(service={"load_balancing": {"algorithm": "round_robin", "slow_start": "0s"}}) as bench:
        stays, leaves, comes = [await bench.endpoint() for _ in range(3)]
        bench._endpoints.clear()
        bench.named("api.test")
        servers = [ResolvedEndpoint("127.0.0.1", one.port, "api.test") for one in (stays, leaves, comes)]
        bench.resolved["api/eu/api.test:80"] = tuple(servers[:2])
        await bench.publish()
        for _ in range(4):
            assert (await bench.ask(GET)).status == 200
        assert (len(stays.received), len(leaves.received)) == (2, 2)
        learnt = bench.plane.book.load(f"api/eu/127.0.0.1:{stays.port}")
        bench.resolved["api/eu/api.test:80"] = (servers[0], servers[2])
        await bench.publish()
        for _ in range(4):
            assert (await bench.ask(GET)).status == 200
        assert (len(stays.received), len(leaves.received), len(comes.received)) == (4, 2, 2)
        assert bench.plane.book.load(f"api/eu/127.0.0.1:{stays.port}") is learnt
        assert learnt.attempts == 4
        assert f"api/eu/127.0.0.1:{leaves.port}" not in bench.plane.book.loads


async def test_a_name_not_answered_for_yet_keeps_whom_it_stood_for_and_a_denied_one_does_not() -> None:
    async with Bench() as bench:
        endpoint = await bench.endpoint()
        bench._endpoints.clear()
        bench.named("api.test")
        bench.resolved["api/eu/api.test:80"] = (ResolvedEndpoint("127.0.0.1", endpoint.port, "api.test"),)
        await bench.publish()
        bench.resolved.clear()
        await bench.publish()
        assert (await bench.ask(GET)).status == 200
        bench.resolved["api/eu/api.test:80"] = ()
        await bench.publish()
        assert (await bench.ask(GET)).status == 503


async def test_a_name_that_stands_for_nobody_yet_is_answered_for_with_503() -> None:
    async with Bench() as bench:
        bench.named("api.test")
        await bench.publish()
        reply = await bench.ask(GET)
        assert (reply.status, reply.problem["reason"]) == (503, "no_healthy_endpoint")


async def test_failed_conditions_and_lost_audit_records_are_reported_once() -> None:
    rule = {"when": "request.headers['x-none'] == 'a'", "regions": ["us"]}
    async with Bench(route={"region_routing": {"rules": [rule]}}) as bench:
        await bench.endpoint()
        await bench.publish()
        bench.lost = 3
        for _ in range(2):
            assert (await bench.ask(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")).status == 200
        first = bench.plane.report()
        assert (first.failed_conditions, first.audit_lost) == ({"all/0": 2}, 3)
        bench.lost = 4
        second = bench.plane.report()
        assert (second.failed_conditions, second.audit_lost) == ({}, 1)


async def test_a_data_plane_sends_a_region_its_nodes_part_of_the_capacity_and_says_what_it_would_send() -> None:
    regions = [{"id": "eu", "priority": 1, "capacity": "1000000/s"}, {"id": "us", "priority": 2}]
    route = {"region_routing": {"strategy": "failover"}}
    async with Bench(regions=regions, route=route, listener={"trusted_proxies": ["127.0.0.0/8"]}) as bench:
        eu, us = [await bench.endpoint(region=region) for region in ("eu", "us")]
        await bench.publish()

        async def ask_some() -> None:
            for number in range(30):
                line = f"X-Forwarded-For: 192.0.2.{number}\r\n".encode()
                assert (await bench.ask(b"GET / HTTP/1.1\r\nHost: h\r\n" + line + b"\r\n")).status == 200

        await ask_some()
        assert us.received == [], "there is room for all"
        bench.plane.share(Parts({"eu": 0.000001}))
        async with asyncio.timeout(20):
            while len(us.received) < 20:
                await ask_some()
        assert bench.plane.report().demands["eu"] > 1.0
        await bench.publish()
        before = len(us.received)
        await ask_some()
        assert len(us.received) > before, "a new configuration does not forget it"
        bench.plane.share(Parts({"eu": 1.0}))
        async with asyncio.timeout(20):
            while True:
                before = len(us.received)
                await ask_some()
                if len(us.received) == before:
                    break
        assert len(eu.received) > 30, "all are back where there is room"
