"""Clients behind load balancers: X-Forwarded-For from trusted ones only, and PROXY headers."""

from __future__ import annotations

import contextlib

import pytest

from tests.harness.dataplane import Bench, until

SPOOFED = (
    b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 8.8.8.8\r\nX-Forwarded-Proto: https\r\n"
    b"X-Request-Id: mine\r\nForwarded: for=9.9.9.9\r\n\r\n"
)
PLAIN = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


async def test_what_an_untrusted_client_says_of_itself_is_dropped() -> None:
    async with Bench() as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        await bench.ask(SPOOFED)
        sent = endpoint.received[0]
        assert b"8.8.8.8" not in sent
        assert b"9.9.9.9" not in sent
        assert b"X-Forwarded-For: 127.0.0.1\r\n" in sent
        assert b"X-Forwarded-Proto: http\r\n" in sent
        assert bench.log[0]["client"] == "127.0.0.1"
        assert bench.log[0]["request_id"] != "mine"


async def test_a_trusted_proxy_is_believed_request_by_request() -> None:
    async with Bench(listener={"trusted_proxies": ["127.0.0.0/8"]}) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        async with bench.client() as client:
            await client.send(SPOOFED)
            assert (await client.reply()).field(b"x-request-id") == b"mine"
            await client.send(SPOOFED.replace(b"8.8.8.8", b"1.1.1.1"))
            await client.reply()
            await client.send(PLAIN)
            await client.reply()
        assert [line["client"] for line in bench.log] == ["8.8.8.8", "1.1.1.1", "127.0.0.1"]
        assert b"X-Forwarded-For: 8.8.8.8, 127.0.0.1\r\n" in endpoint.received[0]
        assert b"X-Forwarded-Proto: https\r\n" in endpoint.received[0]
        assert b"Forwarded: for=8.8.8.8, for=127.0.0.1;proto=https;host=h\r\n" in endpoint.received[0]
        assert b"X-Forwarded-For: 127.0.0.1\r\n" in endpoint.received[2]


async def test_a_client_behind_a_trusted_proxy_is_routed_by_its_own_country() -> None:
    regions = [
        {
            "id": "eu",
            "name": "Europe",
            "location": {"continent": "EU", "country": "IE", "latitude": 53, "longitude": -6},
        },
        {
            "id": "us",
            "name": "America",
            "location": {"continent": "NA", "country": "US", "latitude": 39, "longitude": -77},
        },
    ]
    route = {"region_routing": {"strategy": "geo_proximity", "prefer_local": False}}
    async with Bench(listener={"trusted_proxies": ["127.0.0.1/32"]}, regions=regions, route=route) as bench:
        await bench.endpoint(region="eu")
        await bench.endpoint(region="us")
        await bench.publish()
        async with bench.client() as client:
            for address in (b"8.8.8.8", b"81.2.69.142", b"8.8.8.8"):
                await client.send(SPOOFED.replace(b"8.8.8.8", address))
                await client.reply()
        assert [line["region"] for line in bench.log] == ["us", "eu", "us"]


@pytest.mark.parametrize("split", [1, 1000])
async def test_a_proxy_header_names_the_client(split: int) -> None:
    listener = {"trusted_proxies": ["127.0.0.1/32"], "proxy_protocol": True}
    async with Bench(listener=listener) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        wire = b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 80\r\n" + SPOOFED
        async with bench.client() as client:
            for at in range(0, len(wire), split):
                await client.send(wire[at : at + split])
            assert (await client.reply()).status == 200
            await client.send(PLAIN)
            assert (await client.reply()).status == 200
        assert [line["client"] for line in bench.log] == ["192.0.2.7", "192.0.2.7"]
        assert b"X-Forwarded-For: 192.0.2.7\r\n" in endpoint.received[0]
        assert b"8.8.8.8" not in endpoint.received[0], "the client behind it is not trusted for that"


@pytest.mark.parametrize("trusted", [[], ["127.0.0.1/32"]])
async def test_without_a_proxy_header_that_is_believed_the_connection_is_closed_without_a_word(
    trusted: list[str],
) -> None:
    wire = PLAIN if trusted else b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 80\r\n" + PLAIN
    async with Bench(listener={"trusted_proxies": trusted, "proxy_protocol": True}) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        client = await bench.connect()
        await client.send(wire)
        with contextlib.suppress(ConnectionError):
            assert await client.rest() == b""
        assert endpoint.connections == 0
        await until(lambda: bench.plane.report().connections == 0, "it is gone")
