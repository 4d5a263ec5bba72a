"""Introspected tokens on a real data plane."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from tests.harness.dataplane import Bench
from tests.harness.issuer import NOW, Issuer


def get(shown: str) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + shown.encode() + b"\r\n\r\n"


@pytest.fixture
def secret(tmp_path: Path) -> str:
    (tmp_path / "secret").write_text("s3cret:\n")
    return f"file:{tmp_path / 'secret'}"


def route(issuer: Issuer, secret: str, **more: Any) -> dict[str, Any]:
    kind = {
        "kind": "oauth_introspection",
        "url": f"{issuer.url}/introspect",
        "client_id": "gw",
        "client_secret": secret,
    }
    return {"access": {"authentication": {**kind, **more}}}


async def test_an_answer_is_believed_for_a_while_and_a_crowd_asks_once(secret: str) -> None:
    async with Issuer() as issuer, Bench(route=route(issuer, secret)) as bench:
        issuer.active = {"good": {"active": True, "sub": "alice", "exp": NOW + 60}}
        endpoint = await bench.endpoint()
        await bench.publish()
        replies = await asyncio.gather(*(bench.ask(get("good")) for _ in range(10)))
        assert {reply.status for reply in replies} == {200}
        for _ in range(2):
            bad = await bench.ask(get("bad"))
            assert (bad.status, bad.problem["reason"]) == (401, "token_refused")
        assert [shown for shown, _ in issuer.asks] == ["good", "bad"]
        assert issuer.asks[0][1] == "Basic " + base64.b64encode(b"gw:s3cret%3A").decode()
        assert len(endpoint.received) == 10
        issuer.status = 500
        assert (await bench.ask(get("good"))).status == 200, "what is known holds out its time"
        reply = await bench.ask(get("new"))
        assert (reply.status, reply.problem["reason"]) == (503, "credentials_unavailable")
        asked = len(issuer.asks)
        assert (await bench.ask(get("newer"))).status == 503
        assert len(issuer.asks) == asked, "a server in trouble is not asked again at once"


async def test_a_token_that_has_ended_is_not_believed_whatever_its_server_says(secret: str) -> None:
    async with Issuer() as issuer, Bench(route=route(issuer, secret)) as bench:
        issuer.active = {
            "over": {"active": True, "exp": NOW - 1},
            "odd": {"active": "yes"},
            "split": {"active": True, "exp": "soon"},
        }
        await bench.endpoint()
        await bench.publish()
        assert (await bench.ask(get("over"))).status == 401
        assert (await bench.ask(get("split"))).status == 401
        assert (await bench.ask(get("odd"))).status == 503


async def test_a_client_that_leaves_does_not_end_the_question_for_others(secret: str) -> None:
    async with Issuer() as issuer, Bench(route=route(issuer, secret)) as bench:
        issuer.active = {"good": {"active": True}}
        await bench.endpoint()
        await bench.publish()
        leaver, stayer = await bench.connect(), await bench.connect()
        await leaver.send(get("good"))
        await stayer.send(get("good"))
        await asyncio.sleep(0)
        leaver.reset()
        assert (await stayer.reply()).status == 200
