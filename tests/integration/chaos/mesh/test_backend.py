"""The recording backend: what it is asked stands in its log before it answers."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from chaos.mesh.backend import TOKEN, serve
from tidegate.demo.backend import RequestLog
from tidegate.demo.ports import free_ports


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    (port,) = free_ports(1, rng=random.Random())
    log = RequestLog(tmp_path / "log.jsonl")
    (runner,) = await serve("eu-west", [f"127.0.0.1:{port}"], ["eu-west-a"], log)
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()
    log.close()


async def test_an_answer_repeats_the_requests_token_and_the_log_has_it(url: str, tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{url}/app/t1", headers={TOKEN: "t1"}, data=b"x") as answer:
            assert await answer.json() == {"backend": "eu-west-a", "region": "eu-west", "token": "t1", "body": "x"}
        async with session.get(f"{url}/healthz", headers={"User-Agent": "tidegate-probe/1 (gw)"}) as answer:
            assert answer.status == 200
    (line,) = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert (line["token"], line["method"], line["path"], line["whole"]) == ("t1", "POST", "/app/t1", True)


async def test_a_websocket_gets_every_message_back_with_the_backends_name(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/socket/s") as socket:
        await socket.send_str("s 1")
        assert await socket.receive_str() == "eu-west-a s 1"
