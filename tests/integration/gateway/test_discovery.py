"""Clients are told over a real listener, whatever the routes say, and told otherwise as soon as a verdict changes."""

from __future__ import annotations

import json

from gateway.messages import EndpointState
from tests.harness.dataplane import Bench

CLIENTS = {"regions": {"eu": {"url": "https://eu.example.com"}, "us": {"url": "https://us.example.com"}}}
ASKED = b"GET /.well-known/tidegate HTTP/1.1\r\nHost: a\r\nOrigin: https://app\r\n%b\r\n"


async def test_clients_are_told_which_regions_there_are_and_again_only_what_changed() -> None:
    async with Bench(document={"clients": CLIENTS}) as bench:
        await bench.endpoint()
        us = bench.add_address("127.0.0.1:1", region="us")
        await bench.publish()
        reply = await bench.ask(ASKED % b"")
        assert (reply.status, reply.field(b"content-type")) == (200, b"application/json")
        assert reply.field(b"access-control-allow-origin") == b"*"
        assert [one["healthy"] for one in json.loads(reply.body)["regions"]] == [True, True]
        again = b"If-None-Match: %b\r\n" % (reply.field(b"etag") or b"")
        async with bench.client() as client:
            await client.send(ASKED % again)
            assert (await client.head()).startswith(b"HTTP/1.1 304 ")
            await client.send(b"HEAD /.well-known/tidegate HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"Content-Length: %d\r\n" % len(reply.body) in await client.head()
            bench.states[us] = EndpointState("down", "connection refused")
            await bench.publish()
            await client.send(ASKED % again)
            changed = await client.reply()
        assert [one["healthy"] for one in json.loads(changed.body)["regions"]] == [True, False]
        health = await bench.ask(b"GET /.well-known/tidegate/health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (health.status, json.loads(health.body)["status"]) == (200, "ok")
        assert {line["route"] for line in bench.log} == {"builtin:discovery"}
