"""A real request that an operator wants explained, and everybody else's."""

from __future__ import annotations

from typing import Any

import pytest

from config.core.signing import Signer
from gateway.core.debugging import sealed
from tests.harness.dataplane import Bench

KEY = "k" * 32
DOCUMENT: dict[str, Any] = {
    "secrets": {"signing_keys": ["env:DEBUG_KEY"]},
    "admin": {"tokens": [{"name": "ann", "role": "operator", "token": "env:DEBUG_KEY"}]},
}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG_KEY", KEY)


def get(*lines: bytes, path: bytes = b"/a?b=1") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def field(bench: Bench, key: str = KEY) -> bytes:
    return b"Tidegate-Debug: " + sealed(Signer([key.encode()]), until=bench.wall + 60, author="ann").encode()


async def test_the_answer_names_the_explanation_of_what_was_decided_and_what_came_of_it() -> None:
    service = {"load_balancing": {"algorithm": "round_robin"}}
    async with Bench(document=DOCUMENT, service=service) as bench:
        dead = bench.dead_address()
        endpoint = await bench.endpoint()
        await bench.publish()
        client = await bench.connect()
        await client.send(get(field(bench), b"Authorization: Bearer secret"))
        named = (await client.reply()).field(b"tidegate-explanation")
        assert named is not None
        await client.send(get())
        assert (await client.reply()).field(b"tidegate-explanation") is None
        (explanation,) = bench.plane.report().explanations
        assert explanation["id"] == named.decode()
        assert explanation["request_id"] == bench.log[0]["request_id"]
        assert explanation["route"] == "all"
        assert {candidate["endpoint"] for candidate in explanation["candidates"]} >= {dead}
        outcome = explanation["outcome"]
        assert (outcome["status"], outcome["attempts"]) == (200, 2)
        assert outcome["failures"] == [{"endpoint": dead, "failure": "connection refused"}]
        assert outcome["endpoint"] == f"api/eu/127.0.0.1:{endpoint.port}"
        assert all(b"Tidegate" not in head for head in endpoint.received)
        assert "secret" not in str(explanation)
        assert bench.plane.report().explanations == []


async def test_what_is_answered_here_is_explained_too() -> None:
    routes = [
        {
            "id": "closed",
            "match": {"path": "/a"},
            "service": "api",
            "access": {"deny": ["127.0.0.0/8"]},
        }
    ]
    async with Bench(document=DOCUMENT, routes=routes) as bench:
        await bench.endpoint()
        await bench.publish()
        for path, status, reason in ((b"/a", 403, "address_denied"), (b"/none", 404, "no_route")):
            reply = await bench.ask(get(field(bench), path=path))
            assert reply.status == status
            (explanation,) = bench.plane.report().explanations
            assert (reply.field(b"tidegate-explanation") or b"").decode() == explanation["id"]
            assert explanation["decision"]["reason"] == explanation["outcome"]["reason"] == reason


async def test_forged_fields_are_dropped_and_counted_and_the_request_is_served() -> None:
    async with Bench(document=DOCUMENT) as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        for forged in (field(bench, "x" * 32), b"Tidegate-Debug: 1", b"tidegate-debug: \xff"):
            reply = await bench.ask(get(forged))
            assert (reply.status, reply.field(b"tidegate-explanation")) == (200, None)
        report = bench.plane.report()
        assert (report.debug_refused, report.explanations) == (3, [])
        assert all(b"debug" not in head.lower() for head in endpoint.received)


async def test_without_operators_nobody_is_explained_anything() -> None:
    async with Bench() as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        reply = await bench.ask(get(field(bench)))
        assert (reply.status, reply.field(b"tidegate-explanation")) == (200, None)
        assert b"Debug" not in endpoint.received[0]
