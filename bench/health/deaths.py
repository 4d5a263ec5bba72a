"""Endpoints and regions that die under traffic: the last request there, the requests that failed, the role that moves.

Two kinds of death: **gone** (`kill -9`: connections are refused) and **stuck** (`SIGSTOP`: they are taken, and nobody
answers), which only a time-out finds out. Requests are GETs, each on a connection of its own, as fast as they come.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal

from bench.health.evidence import Attempts, attempts_at, lines
from bench.health.page import Figure
from bench.health.victim import Victim
from tests.harness.mesh_of_nodes import REGIONS, Mesh, told
from tests.harness.node import Node, Traffic
from tidegate.node.wall import wall

Death = Literal["gone", "stuck"]
SIGNALS = {"gone": signal.SIGKILL, "stuck": signal.SIGSTOP}
CHECK = {
    "protocol": "http",
    "path": "/healthz",
    "interval": "1s",
    "timeout": "500ms",
    "healthy_threshold": 2,
    "unhealthy_threshold": 3,
}
WATCH_S = 10.0
"""What still goes there after so long is a mistake, not late."""
ENDPOINT_GOAL_S = 5.0
CLIENTS = 4


def service(victims: Sequence[Victim]) -> dict[str, Any]:
    return {
        "id": "api",
        "endpoints": [{"region": one.region, "address": one.address} for one in victims],
        "health_check": CHECK,
        "retries": {"per_try_timeout": "1s"},
        "load_balancing": {"slow_start": "0s"},
    }


async def endpoint_deaths(folder: Path, rounds: int, kind: Death) -> list[Figure]:
    """One of two endpoints of a node dies, and comes back for the next round."""
    found: list[tuple[Attempts, int]] = []
    async with AsyncExitStack() as stack:
        victims = [await stack.enter_async_context(Victim("eu")) for _ in range(2)]
        node = await stack.enter_async_context(Node(folder, victims[0].address))
        node.config["services"] = [service(victims)]
        await node.start()
        for _ in range(rounds):
            await node.until(lambda: _are_up(node, victims), "both endpoints are up", within_s=30)
            async with Traffic(node.url, clients=CLIENTS) as traffic:
                await traffic.more(200)
                died_at = wall()
                victims[0].signal(SIGNALS[kind])
                await asyncio.sleep(WATCH_S)
            seen = attempts_at({victims[0].endpoint}, lines(folder / "out.log"), died_at=died_at)
            found.append((seen, _failed(traffic)))
            await victims[0].start()
    name = f"endpoint {kind}"
    return [
        Figure(
            f"{name}: its last request", [seen.last_after_s for seen, _ in found], "s", ENDPOINT_GOAL_S,
            "Endpoints: two workers, two endpoints, probes each second, three failures make it down, "
            f"`per_try_timeout: 1s`, {CLIENTS} clients without pause; watched for {WATCH_S:g} s.",
        ),
        Figure(f"{name}: attempts at it after its death", [float(seen.count) for seen, _ in found], "attempts"),
        Figure(f"{name}: requests failed", [float(failed) for _, failed in found], "requests", 0.0),
    ]  # fmt: skip


async def region_deaths(folder: Path, rounds: int, kind: Death) -> list[Figure]:
    """A whole region of three dies, its node too, while clients ask at another region's node."""
    moved, failed, promoted = [], [], []
    async with AsyncExitStack() as stack:
        victims = [await stack.enter_async_context(Victim(region)) for region in REGIONS for _ in range(2)]

        def edit(config: dict[str, Any]) -> None:
            config["services"] = [service(victims)]
            config["routes"][0]["region_routing"] = {"strategy": "failover", "prefer_local": False}
            config["failover"] = {"trigger": "automatic", "failback": "automatic", "hysteresis": "2s"}
            del config["election"]

        mesh = await stack.enter_async_context(Mesh(folder, edit=edit))
        await mesh.start()
        asia, of_eu = mesh.nodes["asia"], [one for one in victims if one.region == "eu"]

        async def leads(region: str) -> bool:
            return bool((await told(asia, "/v1/failover")).get("primary") == region)

        for _ in range(rounds):
            await asia.until(lambda: _are_up(asia, victims), "all endpoints are up", within_s=30)
            await asia.until(lambda: leads("eu"), "eu leads", within_s=60)
            async with Traffic(asia.url, clients=CLIENTS) as traffic:
                await traffic.more(200)
                died_at, began = wall(), time.monotonic()
                for pid in mesh.nodes["eu"].alive():
                    _send(pid, SIGNALS[kind])
                for one in of_eu:
                    one.signal(SIGNALS[kind])
                await asia.until(lambda: leads("us"), "us leads", within_s=90)
                promoted.append(time.monotonic() - began)
                await asyncio.sleep(max(0.0, WATCH_S - promoted[-1]))
            seen = attempts_at({one.endpoint for one in of_eu}, lines(asia.directory / "out.log"), died_at=died_at)
            moved.append(seen.last_after_s)
            failed.append(float(_failed(traffic)))
            for pid in mesh.nodes["eu"].alive():
                _send(pid, signal.SIGKILL)
            for one in of_eu:
                await one.start()
            mesh.nodes["eu"].launch()
            await mesh.whole()
    name = f"region {kind}"
    how = (
        "Regions: a mesh of three nodes, two endpoints a region, `strategy: failover`, probes as above, votes by the "
        "contract's defaults (`detection.timeout: 5s`), clients at another region's node."
    )
    return [
        Figure(f"{name}: the last request there, traffic fully moved", moved, "s", None, how),
        Figure(f"{name}: requests failed", failed, "requests", 0.0),
        Figure(f"{name}: another region leads, by votes", promoted, "s"),
    ]


def _failed(traffic: Traffic) -> int:
    return len(traffic.failures) + sum(count for status, count in traffic.statuses.items() if status != 200)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


async def _are_up(node: Node, victims: Sequence[Victim]) -> bool:
    endpoints = (await told(node, "/v1/status")).get("endpoints", ())
    up = {one["endpoint"] for one in endpoints if one["health"] == "up"}
    return {one.endpoint for one in victims} <= up
