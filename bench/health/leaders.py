"""The leading node is killed, again and again: how long until another leads, over each kind of state store?"""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal

from bench.health.page import Figure
from tests.harness.mesh_of_nodes import Mesh, told
from tests.harness.node import Node
from tests.harness.postgres import PostgresServer
from tests.harness.redis import RedisServer

Store = Literal["embedded", "postgres", "redis"]
LEASE_S = 10.0
"""The contract's default."""
GOAL_S = LEASE_S + 2.0


async def leader_deaths(folder: Path, rounds: int, store: Store) -> list[Figure]:
    took = []
    async with AsyncExitStack() as stack:
        state, environ = _store(stack, folder, store)

        def edit(config: dict[str, Any]) -> None:
            config["stores"] = {"state": state}
            config["election"] = {"lease": f"{LEASE_S:g}s", "renew": "3s"}

        (folder / "mesh").mkdir()
        mesh = await stack.enter_async_context(Mesh(folder / "mesh", edit=edit, environ=environ))
        await mesh.start()
        for _ in range(rounds):
            region = await mesh.leader()
            others = [node for name, node in mesh.nodes.items() if name != region]

            async def is_led(others: list[Node] = others) -> bool:
                return any([(await told(node, "/v1/nodes")).get("epoch") is not None for node in others])

            began = time.monotonic()
            mesh.nodes[region or ""].kill()
            await others[0].until(is_led, "another leads", within_s=90)
            took.append(time.monotonic() - began)
            mesh.nodes[region or ""].launch()
            await mesh.whole()
    how = f"Leaders: a mesh of three nodes, lease {LEASE_S:g} s, renewed each 3 s; `kill -9` at any moment of it."
    return [Figure(f"leader killed, state in {store}: the next one leads", took, "s", GOAL_S, how)]


def _store(stack: AsyncExitStack, folder: Path, store: Store) -> tuple[dict[str, Any], dict[str, str]]:
    if store == "postgres":
        server = PostgresServer()
        stack.callback(server.close)
        return {"kind": "postgres", "dsn": "env:STATE_DSN"}, {"STATE_DSN": server.dsn}
    if store == "redis":
        servers = [RedisServer(folder / f"redis-{number}", durable=True) for number in range(3)]
        for one in servers:
            stack.callback(one.kill)
        return {"kind": "redis", "urls": [one.url for one in servers]}, {}
    return {"kind": "embedded"}, {}
