"""A backend process is real: it answers, logs each request before answering, and goes when it is told to."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tidegate.demo.backend import caller, delay_s
from tidegate.demo.cluster import answers
from tidegate.demo.distance import round_trip_s
from tidegate.demo.ports import free_ports
from tidegate.demo.waiting import until


class Running:
    def __init__(self, process: asyncio.subprocess.Process, url: str, log: Path) -> None:
        self.process, self.url, self.log = process, url, log

    def lines(self) -> list[dict[str, object]]:
        return [line for line in map(json.loads, self.log.read_text().splitlines()) if line["from"] or line["body"]]


async def start(log: Path, session: aiohttp.ClientSession, *more: str) -> Running:
    address = f"127.0.0.1:{free_ports(1, rng=random.Random())[0]}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tidegate.demo.backend", "--region", "us-east", "--name", "us-east-1"),
        *("--bind", address, "--log", str(log), *more),
    )
    running = Running(process, f"http://{address}", log)

    async def listens() -> bool:
        try:
            async with session.get(f"{running.url}/healthz"):
                return True
        except aiohttp.ClientError:
            return False

    await until(listens, within_s=60, what="the backend to listen")
    return running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as one:
        yield one


@pytest.fixture
async def backend(tmp_path: Path, session: aiohttp.ClientSession) -> AsyncIterator[Running]:
    running = await start(tmp_path / "log.jsonl", session)
    yield running
    if running.process.returncode is None:
        running.process.kill()
    await running.process.wait()


async def test_it_names_itself_and_says_what_it_got(backend: Running, session: aiohttp.ClientSession) -> None:
    async with session.put(f"{backend.url}/profile/1?x=1", data=b"hello", headers={"X-Request-Id": "r1"}) as response:
        told = await response.json()
    assert (told["backend"], told["region"], response.headers["X-Backend"]) == ("us-east-1", "us-east", "us-east-1")
    got = told["got"]
    assert (got["method"], got["path"], got["request_id"], got["body"]) == ("PUT", "/profile/1?x=1", "r1", "hello")


async def test_an_answer_comes_as_late_as_its_distance_demands(
    backend: Running, session: aiohttp.ClientSession
) -> None:
    began = time.monotonic()
    async with session.get(f"{backend.url}/feed/1", headers={"Via": "1.1 gw-eu-west"}) as response:
        assert response.status == 200
    assert time.monotonic() - began >= round_trip_s("eu-west", "us-east")


async def test_a_probe_is_told_from_a_request_and_travels_as_far(
    backend: Running, session: aiohttp.ClientSession
) -> None:
    began = time.monotonic()
    agent = {"User-Agent": "tidegate-probe/0.1.0 (gw-ap-south)"}
    async with session.get(f"{backend.url}/healthz", headers=agent) as response:
        assert await response.json() == {"backend": "us-east-1", "state": "well"}
    assert time.monotonic() - began >= round_trip_s("ap-south", "us-east")
    assert [(line["from"], line["probe"]) for line in backend.lines()] == [("gw-ap-south", True)]


async def test_a_killed_backend_has_logged_the_request_it_never_answered(
    backend: Running, session: aiohttp.ClientSession
) -> None:
    async with asyncio.TaskGroup() as group:
        lost = group.create_task(lose(session, backend))
        await until(lambda: len(backend.lines()) == 1, within_s=60, what="the line in the log", every_s=0.001)
        backend.process.kill()
    assert lost.result()
    assert backend.lines()[0]["path"] == "/feed/7"


async def lose(session: aiohttp.ClientSession, backend: Running) -> bool:
    try:
        async with session.post(f"{backend.url}/feed/7", headers={"Via": "1.1 gw-ap-south"}, data=b"x"):
            return False
    except aiohttp.ClientError:
        return True


async def test_it_stops_when_it_is_told_to(backend: Running) -> None:
    backend.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(backend.process.wait(), 10) == 0


async def test_an_unwell_backend_answers_503_to_everything(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    running = await start(tmp_path / "log.jsonl", session, "--unwell")
    try:
        assert not await answers(session, f"{running.url}/healthz")
        async with session.get(f"{running.url}/feed/1", headers={"Via": "1.1 gw-eu-west"}) as response:
            assert response.status == 503
        assert [line["path"] for line in running.lines()] == ["/feed/1"]
    finally:
        running.process.kill()
        await running.process.wait()


@pytest.mark.parametrize(
    ("headers", "node", "is_probe"),
    [
        ([], None, False),
        ([("Via", "1.1 gw-eu-west")], "gw-eu-west", False),
        ([("via", "1.1 cdn, 1.1 gw-us-east (Tidegate)")], "gw-us-east", False),
        ([("Via", "1.1 gw-eu-west"), ("Via", "1.1 gw-us-east")], "gw-us-east", False),
        ([("Via", "nonsense")], None, False),
        ([("User-Agent", "tidegate-probe/1.2 (gw-eu-west)"), ("Via", "1.1 other")], "gw-eu-west", True),
        ([("User-Agent", "curl/8 (gw-eu-west)")], None, False),
    ],
)
def test_the_caller_is_the_last_node_in_via_or_the_one_that_probes(
    headers: list[tuple[str, str]], node: str | None, is_probe: bool
) -> None:
    assert caller(headers) == (node, is_probe)


def test_somebody_who_is_no_node_is_not_made_to_wait() -> None:
    assert delay_s(None, region="eu-west") == 0.0
    assert delay_s("somebody", region="eu-west") == 0.0
