"""Draining a region of a real node under traffic, from the command line: nobody notices."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.harness.node import Backend, Node, Traffic, fetch, ports

OPERATOR = "operator-token"
TOKENS = {"OPS": OPERATOR, "LOOK": "viewer-token"}


async def run(node: Node, *words: str, token: str = OPERATOR) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tidegate", *words],
        env={**os.environ, **TOKENS, "TIDEGATE_ADMIN": node.admin, "TIDEGATE_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def ask(node: Node, path: str) -> Any:
    answer = await fetch("GET", node.admin + path, headers={"Authorization": "Bearer viewer-token"})
    return answer.json()


@asynccontextmanager
async def two_regions(directory: Path, *, workers: int = 2) -> AsyncIterator[tuple[Node, Backend, Backend]]:
    """A node, its backend in eu that traffic prefers, and one in us."""
    async with (
        Backend("eu") as eu,
        Backend("us") as us,
        Node(directory, eu.address, workers=workers, environ=TOKENS) as node,
    ):
        node.config["regions"] = [{"id": "eu"}, {"id": "us"}]
        node.config["services"][0]["endpoints"].append({"region": "us", "address": us.address})
        node.config["services"][0]["timeouts"] = {"response_head": "5m"}  # requests are held, on busy machines for long
        node.config["admin"]["tokens"] = [
            {"name": "ops", "role": "operator", "token": "env:OPS"},
            {"name": "look", "role": "viewer", "token": "env:LOOK"},
        ]
        node.write()
        node.launch()

        async def all_up() -> bool:
            try:
                status = await ask(node, "/v1/status")
            except OSError:
                return False
            return status["state"] == "ready" and all(one["health"] == "up" for one in status["endpoints"])

        await node.until(all_up, "both regions are up", within_s=20)
        yield node, eu, us


async def test_a_region_is_drained_and_comes_back_under_traffic_without_one_failed_request(tmp_path: Path) -> None:
    async with two_regions(tmp_path) as (node, eu, _), Traffic(node.url, clients=4) as traffic:
        await traffic.more(50)
        assert eu.requests()
        drained = await run(node, "drain", "eu", "--over", "2s", "--reason", "patching", "--wait", "--json")
        assert drained.returncode == 0, drained.stderr
        shown = json.loads(drained.stdout)
        assert (shown["state"], shown["author"], shown["in_flight"]) == ("drained", "ops", 0)
        at_eu = len(eu.requests())
        await traffic.more(100)
        assert len(eu.requests()) == at_eu, "what is drained gets nothing"
        back = await run(node, "undrain", "eu", "--over", "1s", "--wait")
        assert back.returncode == 0, back.stderr
        assert "serving" in back.stdout
        await traffic.more(50)
        assert len(eu.requests()) > at_eu
    assert traffic.failures == []
    assert set(traffic.statuses) == {200}, traffic.refused


async def test_a_drain_survives_the_control_process_and_the_whole_node(tmp_path: Path) -> None:
    async with two_regions(tmp_path) as (node, eu, _):
        async with Traffic(node.url, clients=2) as traffic:
            assert (await run(node, "drain", "eu", "--over", "0s", "--wait")).returncode == 0
            before = len(eu.requests())
            status = await ask(node, "/v1/status")
            children = status["processes"]["children"]
            os.kill(next(one["pid"] for one in children if one["role"] == "control"), signal.SIGKILL)
            await traffic.more(100)

            async def is_shown() -> bool:
                try:
                    return bool((await ask(node, "/v1/regions/eu/drain"))["state"] == "drained")
                except (OSError, KeyError):
                    return False

            await node.until(is_shown, "the next control process knows of the drain", within_s=20)
            await traffic.more(50)
        assert traffic.failures == []
        for pid in node.alive():
            os.kill(pid, signal.SIGKILL)
        await node.ended()
        node.launch()

        async def serves() -> bool:
            try:
                return (await node.get("/again")).status == 200
            except OSError:
                return False

        await node.until(serves, "the node serves again", within_s=20)
        await node.until(is_shown, "the node started anew knows of the drain", within_s=20)
        assert len(eu.requests()) == before, "not one request, from the first on"
        said = (await ask(node, "/v1/decisions"))["decisions"]
        assert [(one["what"], one["outcome"]) for one in said] == [("drain", "done")]


async def test_a_restart_in_the_middle_goes_on_where_the_drain_was(tmp_path: Path) -> None:
    async with two_regions(tmp_path) as (node, _, _us), Traffic(node.url, clients=2) as traffic:
        assert (await run(node, "drain", "eu", "--over", "20s")).returncode == 0

        async def share() -> float:
            try:
                return float((await ask(node, "/v1/regions/eu/drain"))["share"])
            except (OSError, KeyError):
                return 2.0

        async def is_on_its_way() -> bool:
            return await share() <= 0.8

        await node.until(is_on_its_way, "a fifth is gone", within_s=15)
        children = (await ask(node, "/v1/status"))["processes"]["children"]
        os.kill(next(one["pid"] for one in children if one["role"] == "control"), signal.SIGKILL)

        async def is_back() -> bool:
            return await share() <= 1.0

        await node.until(is_back, "the next control process tells", within_s=15)
        assert await share() <= 0.8, "it does not begin again"
        drained = await run(node, "drain", "eu", "--over", "20s", "--wait")
        assert drained.returncode == 0, drained.stderr
        assert (await ask(node, "/v1/decisions"))["decisions"][0]["outcome"] == "done"
    assert traffic.failures == []
    assert set(traffic.statuses) == {200}, traffic.refused


async def test_what_is_in_flight_is_seen_until_the_deadline_and_then_tried_elsewhere(tmp_path: Path) -> None:
    async with two_regions(tmp_path, workers=0) as (node, eu, us):
        us.release.set()
        holding = asyncio.get_running_loop().create_task(node.get("/hold", within_s=90))
        await node.until(lambda: eu.holding == 1, "a request is held")
        begun = await run(node, "drain", "eu", "--over", "0s")
        assert begun.returncode == 0

        async def flying() -> bool:
            return bool((await ask(node, "/v1/regions/eu/drain"))["in_flight"] == 1)

        await node.until(flying, "it is shown as in flight")
        assert (await ask(node, "/v1/regions/eu/drain"))["state"] == "draining"
        late = await run(node, "drain", "eu", "--over", "0s", "--deadline", "1s", "--wait")
        assert late.returncode == 0, late.stdout + late.stderr
        eu.release.set()
        answer = await holding
        assert (answer.status, answer.body) == (200, b"us /hold\n")


async def test_at_the_deadline_a_websocket_through_workers_is_told_to_come_again(tmp_path: Path) -> None:
    async def idle(websocket: ServerConnection) -> None:
        await websocket.wait_closed()

    async with (
        serve(idle, "127.0.0.1", 0) as server,
        Backend("us") as us,
        Node(tmp_path, f"127.0.0.1:{server.sockets[0].getsockname()[1]}", environ=TOKENS) as node,
    ):
        node.config["regions"] = [{"id": "eu"}, {"id": "us"}]
        node.config["services"][0]["endpoints"].append({"region": "us", "address": us.address})
        node.config["services"][0]["health_check"] = {"protocol": "tcp"}
        node.config["admin"]["tokens"] = [{"name": "ops", "role": "operator", "token": "env:OPS"}]
        node.write()
        node.launch()

        async def is_open() -> ClientConnection | None:
            try:
                return await connect(f"ws://127.0.0.1:{node.port}/ws")
            except (OSError, InvalidStatus):
                return None

        found: list[ClientConnection] = []

        async def is_connected() -> bool:
            connection = await is_open()
            found.extend([connection] if connection is not None else [])
            return bool(found)

        await node.until(is_connected, "the node tunnels", within_s=20)
        assert (await run(node, "drain", "eu", "--over", "0s", "--deadline", "1s", "--wait")).returncode == 0
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(found[0].recv(), 20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001


async def test_exit_codes_say_refused_misused_and_unreachable(tmp_path: Path) -> None:
    async with two_regions(tmp_path, workers=0) as (node, _, us):
        assert (await run(node, "drain", "eu", token="viewer-token")).returncode == 4
        refused = await run(node, "drain", "api", "--service")
        assert refused.returncode == 4
        assert "no endpoint of service api for route api" in refused.stderr
        assert (await run(node, "drain", "mars")).returncode == 2
        assert (await run(node, "drain", "eu", "--over", "60")).returncode == 2
        assert (await run(node, "drain", "api", "--service", "--endpoint")).returncode == 2
        one = await run(node, "drain", f"api/us/{us.address}", "--endpoint", "--over", "0s", "--local")
        assert one.returncode == 0, one.stderr
        assert "on this node only" in one.stdout
        told = await run(node, "decisions")
        assert "refused" in told.stdout
        assert f"endpoint/api/us/{us.address}" in told.stdout
        as_json = json.loads((await run(node, "decisions", "--json", "--limit", "1")).stdout)
        assert as_json["decisions"][0]["evidence"]["scope"] == "local"
        audited = await run(node, "audit", "--json", "--config", str(node.file))
        assert audited.returncode == 0, audited.stderr
        said = json.loads(audited.stdout)
        assert said["faults"] == []
        endpoint = f"endpoint/api/us/{us.address}"
        assert [(one["action"], one["target"], one["author"], one["outcome"]) for one in said["records"]] == [
            ("drain", "service/api", "ops", "begun"),
            ("drain", "service/api", "ops", "refused"),
            ("drain", endpoint, "ops", "begun"),
            ("drain", endpoint, "ops", "done"),
        ]
        node.admin_port = ports(1)[0]
        assert (await run(node, "drain", "eu")).returncode == 3


async def test_a_drill_rehearses_the_loss_of_a_region_and_gives_it_back(tmp_path: Path) -> None:
    async with two_regions(tmp_path) as (node, eu, _), Traffic(node.url, clients=2) as traffic:
        done = await run(node, "drill", "region", "us", "--over", "1s", "--hold", "1s", "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        report = json.loads(done.stdout)
        assert report["meets_rto"] is True
        assert report["is_given_back"] is True
        assert report["failed"] == 0
        assert report["attempts"] > 0
        lead = await run(node, "drill", "region", "eu", "--over", "1s", "--hold", "1s")
        assert lead.returncode == 0, lead.stderr + lead.stdout
        assert "us led meanwhile" in lead.stdout
        assert "within the objective of 60 s" in lead.stdout
        assert (await ask(node, "/v1/failover"))["primary"] == "eu"
        await traffic.more(20)
    assert traffic.failures == []
    assert set(traffic.statuses) == {200}, traffic.refused
    assert eu.requests()
