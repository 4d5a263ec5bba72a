"""Requests that wait for data before they are forwarded by a real data plane."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from config.core.signing import Signer
from gateway.messages import Replicated
from health.core.session_token import SessionToken, seal
from tests.harness.dataplane import Bench, ScriptedEndpoint, until

NOTE_KEY = b"a key of the mesh"
CONSISTENT: dict[str, Any] = {
    "route": {"consistency": "read_your_writes", "consistency_wait": "10s"},
    "document": {"sync": {"collections": [{"name": "notes", "data_type": "note", "conflict": "vector_clock"}]}},
}


def reading(seq: int, *, key: bytes = NOTE_KEY) -> bytes:
    token = seal(SessionToken("note", 1, {"notes": {"eu:a.1": seq}}), Signer([key])).encode()
    return b"GET / HTTP/1.1\r\nHost: a\r\nTidegate-Session: %b\r\n\r\n" % token


def applied(**regions: int) -> Replicated:
    return Replicated({name: {"notes": {"eu:a.1": seq}} for name, seq in regions.items()}, {})


@asynccontextmanager
async def consistent(tmp_path: Path, **route: str) -> AsyncIterator[tuple[Bench, ScriptedEndpoint, ScriptedEndpoint]]:
    """Endpoints in eu, which goes first, and us."""
    (tmp_path / "key").write_bytes(NOTE_KEY)
    document = {**CONSISTENT["document"], "secrets": {"signing_keys": [f"file:{tmp_path / 'key'}"]}}
    async with Bench(route={**CONSISTENT["route"], **route}, document=document) as bench:
        eu, us = await bench.endpoint(region="eu"), await bench.endpoint(region="us")
        await bench.publish()
        yield bench, eu, us


async def test_a_session_is_served_where_its_writes_are_and_waits_for_them_where_they_are_not(tmp_path: Path) -> None:
    async with consistent(tmp_path) as (bench, eu, us), bench.client() as client:
        bench.plane.replicated(applied(eu=1, us=2))
        assert (await bench.ask(reading(2))).status == 200
        assert (len(eu.received), len(us.received)) == (0, 1)

        await client.send(reading(3) + b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        bench.plane.replicated(applied(eu=2, us=2))
        assert (len(eu.received), len(us.received)) == (0, 1), "it is not further yet"
        bench.plane.replicated(applied(eu=3, us=2))
        assert [(await client.reply()).status for _ in range(2)] == [200, 200]
        assert (len(eu.received), len(us.received)) == (2, 1)


async def test_who_waits_in_vain_is_told_why_and_who_leaves_is_forgotten(tmp_path: Path) -> None:
    async with consistent(tmp_path, consistency_wait="50ms") as (bench, _, _):
        bench.plane.replicated(applied(eu=1, us=1))
        reply = await bench.ask(reading(2))
        assert (reply.status, reply.problem["reason"]) == (503, "behind_session")
        assert reply.field(b"retry-after") == b"1"
        assert (await bench.ask(reading(1))).status == 200, "the next client is served"
    async with consistent(tmp_path) as (bench, _, _):
        client = await bench.connect()
        await client.send(reading(2))
        await until(lambda: not all(each.is_idle for each in bench.plane.clients), "it is held")
        client.reset()
        await until(lambda: any(line["reason"] == "client_left" for line in bench.log), "its leaving is logged")


async def test_a_forged_token_costs_its_sender_only(tmp_path: Path) -> None:
    async with consistent(tmp_path) as (bench, eu, us), bench.client() as client:
        bench.plane.replicated(applied(eu=1, us=1))
        await client.send(reading(1, key=b"another mesh's"))
        reply = await client.reply()
        assert (reply.status, reply.problem["reason"]) == (400, "bad_session")
        assert (eu.received, us.received) == ([], [])
        await client.send(reading(1))
        assert (await client.reply()).status == 200, "the same connection goes on"


async def test_who_half_closes_while_it_waits_gets_its_answer_and_is_closed(tmp_path: Path) -> None:
    async with consistent(tmp_path) as (bench, eu, _):
        bench.plane.replicated(applied(eu=1, us=1))
        client = await bench.connect()
        await client.send(reading(2))
        await until(lambda: not all(each.is_idle for each in bench.plane.clients), "it is held")
        client.writer.write_eof()
        bench.plane.replicated(applied(eu=1, us=1))
        assert eu.received == []
        bench.plane.replicated(applied(eu=2, us=1))
        assert (await client.reply()).status == 200
        assert await client.rest() == b""
        assert len(eu.received) == 1
