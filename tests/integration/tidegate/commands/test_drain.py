"""Draining a region of a real node under traffic, from the command line: nobody notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import re
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


class Terminal:
    """What a person sees of standard error, while a command runs."""

    def __init__(self) -> None:
        self._seen = b""

    def run(self, node: Node, *words: str) -> int:
        """The exit code; waits for the end."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "tidegate", *words],
            env={**os.environ, "TIDEGATE_ADMIN": node.admin, "TIDEGATE_TOKEN": OPERATOR}
            | {"TERM": "xterm-256color", "COLUMNS": "120"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while piece := os.read(ours, 65536):
                self._seen += piece
        os.close(ours)
        return process.wait(10)

    def text(self) -> str:
        """Without colours and movements."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self._seen.decode(errors="ignore"))


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

        await node.until(all_up, "both regions are up", within_s=60)
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

            await node.until(is_shown, "the next control process knows of the drain", within_s=60)
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

        await node.until(serves, "the node serves again", within_s=60)
        await node.until(is_shown, "the node started anew knows of the drain", within_s=60)
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

        await node.until(is_on_its_way, "a fifth is gone", within_s=60)
        children = (await ask(node, "/v1/status"))["processes"]["children"]
        os.kill(next(one["pid"] for one in children if one["role"] == "control"), signal.SIGKILL)

        async def is_back() -> bool:
            return await share() <= 1.0

        await node.until(is_back, "the next control process tells", within_s=60)
        assert await share() <= 0.8, "it does not begin again"
        drained = await run(node, "drain", "eu", "--over", "20s", "--wait")
        assert drained.returncode == 0, drained.stderr
        assert (await ask(node, "/v1/decisions"))["decisions"][0]["outcome"] == "done"
    assert traffic.failures == []
    assert set(traffic.statuses) == {200}, traffic.refused


async def test_waiting_on_a_terminal_shows_a_bar_that_fills_with_what_is_under_way(tmp_path: Path) -> None:
    async with two_regions(tmp_path, workers=0) as (node, eu, us):
        us.release.set()
        holding = asyncio.get_running_loop().create_task(node.get("/hold", within_s=90))
        await node.until(lambda: eu.holding == 1, "a request is held")
        terminal = Terminal()
        waiting = asyncio.get_running_loop().create_task(
            asyncio.to_thread(terminal.run, node, "drain", "eu", "--over", "5s", "--wait")
        )
        await node.until(lambda: "100%  1 in flight" in terminal.text(), "what is waited for is shown", within_s=60)
        assert not waiting.done()
        eu.release.set()
        code, seen = await waiting, terminal.text()
        assert (await holding).status == 200
        assert code == 0, seen
        bars = re.findall(r"region/eu \S+ +(\d+)%  (\d+) in flight, (\d+) streams", seen)
        shares = [int(share) for share, _, _ in bars]
        assert shares == sorted(shares), "it never goes back"
        assert len(set(shares)) >= 3, "it is seen on its way"
        assert bars[-1] == ("100", "0", "0")
        assert re.search("region/eu \u2501+ ", seen), "the bar is whole at the end"


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

        await node.until(is_connected, "the node tunnels", within_s=60)
        assert (await run(node, "drain", "eu", "--over", "0s")).returncode == 0
        shown: dict[str, Any] = {}

        async def is_counted() -> bool:
            nonlocal shown
            answer = await fetch("GET", node.admin + "/v1/regions/eu/drain", headers=operator)
            shown = answer.json()
            return bool(shown["streams"])

        async def is_over() -> bool:
            answer = await fetch("GET", node.admin + "/v1/regions/eu/drain", headers=operator)
            left = answer.json()
            return (left["streams"], left["in_flight"], left["state"]) == (0, 0, "drained")

        operator = {"Authorization": f"Bearer {OPERATOR}"}
        await node.until(is_counted, "the tunnel is counted as a stream", within_s=60)
        assert (shown["state"], shown["streams"], shown["in_flight"]) == ("draining", 1, 1), "it is waited for"
        said = await run(node, "status")
        assert "region/eu: draining, share 0%, 1 in flight, 1 of them streams" in said.stdout
        assert (await run(node, "drain", "eu", "--over", "0s", "--deadline", "1s", "--wait")).returncode == 0
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(found[0].recv(), 20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        await node.until(is_over, "nothing of it is left", within_s=60)


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
