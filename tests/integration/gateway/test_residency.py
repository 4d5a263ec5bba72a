"""No byte of bound data reaches a region that may not have it, whatever dies; what crosses a border is on record."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import struct
import termios
from pathlib import Path
from typing import Any

import pytest

from gateway.messages import EndpointState
from tests.harness.dataplane import Bench, Connection, ScriptedEndpoint, always_ok, until

BODY = b"secret-of-a-client"
POST = b"PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
REGIONS = [
    {"id": "eu", "priority": 1, "capacity": "1/s", "compliance_zones": ["gdpr"]},
    {"id": "ie", "priority": 2, "capacity": "1/s", "compliance_zones": ["gdpr"]},
    {"id": "us", "priority": 3},
]
BOUND: dict[str, Any] = {
    "data_types": ["profile"],
    "region_routing": {
        "strategy": "weighted",
        "region_weights": {"us": 1000, "eu": 1, "ie": 1},
        "rules": [{"when": "true || client.country == 'US'", "regions": ["us"]}],
        "preference_header": "X-Region",
        "prefer_local": False,
    },
}
RESIDENCY = {"rules": [{"data_type": "profile", "zones": ["gdpr"]}], "audit": {}}
SERVICE = {
    "retries": {"max_retries": 5, "hedge_after": "20ms", "min_retries": "1000/s", "methods": ["GET", "PUT"]},
    "timeouts": {"connect": "300ms", "response_head": "300ms", "idle": "2s"},
}


def bench(**fields: Any) -> Bench:
    settings = {"regions": REGIONS, "route": BOUND, "service": SERVICE, "document": {"residency": RESIDENCY}}
    return Bench(**(settings | fields))


async def reset(connection: Connection) -> None:
    await connection.head()
    connection.reset()


async def refuse_service(connection: Connection) -> None:
    await connection.head()
    await connection.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")


async def nonsense(connection: Connection) -> None:
    await connection.head()
    await connection.send(b"what?\r\n\r\n")


async def silence(connection: Connection) -> None:
    await connection.head()
    await asyncio.sleep(0.5)


@pytest.mark.parametrize("failing", [reset, refuse_service, nonsense, silence])
async def test_with_every_allowed_region_failing_nothing_reaches_the_others(failing: Any) -> None:
    async with bench() as here:
        for region in ("eu", "ie"):
            await here.endpoint(failing, region=region)
        forbidden = await here.endpoint(region="us")
        await here.publish()
        for wish in (b"", b"X-Region: us\r\n"):
            reply = await here.ask(POST.replace(b"Host: h\r\n", b"Host: h\r\n" + wish))
            assert reply.status in {502, 503, 504}
        assert (forbidden.connections, forbidden.received) == (0, [])


@pytest.mark.parametrize("is_known", [True, False])
async def test_with_every_allowed_region_dead_nothing_reaches_the_others_and_the_rule_is_named(is_known: bool) -> None:
    async with bench() as here:
        dead = [here.dead_address(region=region) for region in ("eu", "ie")]
        forbidden = await here.endpoint(region="us")
        if is_known:
            here.states |= {name: EndpointState("down", "connection refused") for name in dead}
        await here.publish()
        reply = await here.ask(POST)
        assert reply.status in {502, 503}
        assert reply.problem["rule"] == "profile"
        assert forbidden.connections == 0
        denied = [record for record in here.audited if record["kind"] == "denied"]
        assert [(record["rule"], record["route"], record["source"]) for record in denied] == [("profile", "all", "eu")]


async def test_a_spill_goes_to_allowed_regions_only() -> None:
    """Thirty clients ask for more than `eu` and `ie` together may be asked; all of them wish for `us`."""
    trusted = {"trusted_proxies": ["127.0.0.0/8"]}
    by_order = {"strategy": "failover", "preference_header": "X-Region"}  # nothing but capacity takes any from `eu`
    route = {"data_types": ["profile"], "region_routing": by_order}
    async with bench(service={}, listener=trusted, route=route) as here:
        eu, ie = [await here.endpoint(region=region) for region in ("eu", "ie")]
        forbidden = await here.endpoint(region="us")
        await here.publish()
        sent = 0
        async with asyncio.timeout(20):
            while len(ie.received) < 30:  # the measured rate must rise first
                line = b"Host: h\r\nX-Region: us\r\nX-Forwarded-For: 192.0.2.%d\r\n" % (sent % 30)
                assert (await here.ask(POST.replace(b"Host: h\r\n", line))).status == 200
                sent += 1
        assert len(eu.received) + len(ie.received) == sent
        assert len(eu.received) > 0
        assert forbidden.connections == 0
        moved = [record for record in here.audited if record["kind"] == "transfer"]
        assert {(record["source"], record["destination"]) for record in moved} == {("eu", "ie")}
        assert len(moved) == len(ie.received)


async def test_a_transfer_to_another_region_is_on_record_with_its_rule() -> None:
    route = {**BOUND, "region_routing": {"strategy": "failover"}}
    async with bench(route=route, service={}) as here:
        here.dead_address(region="eu")
        await here.endpoint(region="ie")
        await here.publish()
        reply = await here.ask(POST)
        assert reply.status == 200
        (record,) = here.audited
        assert (record["kind"], record["source"], record["destination"]) == ("transfer", "eu", "ie")
        assert record["rule"] == "profile"
        assert record["request_id"].encode() == reply.field(b"x-request-id")


async def test_without_an_audit_nothing_is_recorded() -> None:
    async with bench(document={"residency": {"rules": RESIDENCY["rules"]}}) as here:
        here.dead_address(region="eu")
        await here.publish()
        assert (await here.ask(POST)).status in {502, 503}
        assert here.audited == []


AGREED = {
    **RESIDENCY,
    "transfer_agreements": [
        {"id": "scc", "source": "eu", "destination": "us", "data_types": ["profile"], "expires": "2023-11-14"}
    ],
}
LAST_SECOND = 1_700_006_399.0
"""2023-11-14 23:59:59 UTC."""


async def agreed(here: Bench) -> ScriptedEndpoint:
    here.wall = LAST_SECOND - 5
    us = await here.endpoint(always_ok, region="us")
    await here.publish()
    return us


async def test_an_agreement_that_expires_while_running_ends_without_a_reload() -> None:
    async with bench(document={"residency": AGREED}) as here:
        us = await agreed(here)
        assert (await here.ask(POST)).status == 200
        assert [(record["kind"], record["rule"]) for record in here.audited] == [("transfer", "scc")]
        here.wall = LAST_SECOND + 1.5
        snapshot = here.plane.snapshot
        await until(lambda: here.plane.snapshot is not snapshot, "the agreement ends")
        reply = await here.ask(POST)
        assert (reply.status, reply.problem["rule"]) == (503, "profile")
        assert len(us.received) == 1


async def test_a_request_that_was_decided_before_an_agreement_ended_is_not_retried_there_after() -> None:
    route = {**BOUND, "region_routing": {"strategy": "failover"}}
    go = asyncio.Event()

    async def late(connection: Connection) -> None:
        await connection.head()
        await go.wait()
        connection.reset()

    async with bench(route=route, document={"residency": AGREED}, service={}) as here:
        eu = await here.endpoint(late, region="eu")
        us = await agreed(here)
        async with here.client() as client:
            await client.send(b"GET /p HTTP/1.1\r\nHost: h\r\n\r\n")
            await until(lambda: bool(eu.received), "the request is at its first endpoint")
            snapshot, here.wall = here.plane.snapshot, LAST_SECOND + 1.5
            await until(lambda: here.plane.snapshot is not snapshot, "the agreement ends")
            go.set()
            assert (await client.reply()).status in {502, 503}
        assert us.connections == 0


def gateways_side(client: Connection) -> socket.socket:
    """The other end of a client's connection, which lies in this very process."""
    wanted = client.writer.get_extra_info("sockname")
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            sock = socket.socket(fileno=os.dup(int(descriptor.name)))
        except OSError:
            continue
        try:
            if sock.getpeername() == wanted:
                return sock
        except OSError:
            pass
        sock.close()
    raise AssertionError("nobody holds the other end")


def unread(sock: socket.socket) -> int:
    """Bytes that have arrived and that nobody has read."""
    found: int = struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, b"\0\0\0\0"))[0]
    return found


@pytest.mark.parametrize(
    ("gateway", "status", "location"),
    [(None, 421, None), ("https://ie.example", 308, b"https://ie.example/p?q")],
)
async def test_a_node_that_may_not_hold_the_data_reads_no_byte_of_it(
    gateway: str | None, status: int, location: bytes | None
) -> None:
    regions = [{"id": "eu"}, {"id": "ie", "compliance_zones": ["gdpr"], "gateway": gateway}]
    size = 50_000  # fits into what a kernel takes for a process that reads nothing
    head = b"PUT /p?q HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n"
    async with bench(regions=regions, route={"data_types": ["profile"]}, service={}) as here:
        endpoints = [await here.endpoint(region=region) for region in ("eu", "ie")]
        await here.publish()
        client = await here.connect()
        await client.send(head)
        reply = await client.reply()  # by the head alone: not a byte of the body has been sent
        assert (reply.status, reply.field(b"location"), reply.field(b"connection")) == (status, location, b"close")
        assert reply.problem["rule"] == "profile"
        with gateways_side(client) as other_end:
            await client.send(b"p" * size)
            for _ in range(3):  # many turns of the loop, in each of which the gateway could read
                assert (await here.ask(b"GET /p HTTP/1.1\r\nHost: h\r\n\r\n")).status == status, "others are answered"
            assert unread(other_end) == size
        await until(client.reader.at_eof, "the connection ends")
        assert [endpoint.connections for endpoint in endpoints] == [0, 0]
        assert [record["kind"] for record in here.audited] == ["denied"] * 4
