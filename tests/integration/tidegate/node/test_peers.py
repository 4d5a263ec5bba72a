"""A mesh of three real nodes: they hear each other, one leads, and another takes over after kill -9."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.harness.node import Backend, Node, ports

REGIONS = ("eu", "us", "asia")


async def test_three_nodes_elect_one_and_another_after_kill_9(tmp_path: Path) -> None:
    peer_ports = ports(3)
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(Backend())
        mesh: list[Node] = []
        for region, port in zip(REGIONS, peer_ports, strict=True):
            (tmp_path / region).mkdir()
            environ = {"MESH_KEY": "key", "MESH_SECRET": "secret"}
            node = Node(tmp_path / region, backend.address, workers=0, environ=environ)
            node.config["node"] |= {"id": f"gw-{region}", "region": region}
            node.config["regions"] = [
                {"id": name, "peers": [f"http://127.0.0.1:{at}"]} for name, at in zip(REGIONS, peer_ports, strict=True)
            ]
            node.config["peer"] = {"bind": f"127.0.0.1:{port}", "secret": "env:MESH_SECRET"}
            node.config["secrets"] = {"signing_keys": ["env:MESH_KEY"]}
            node.config["election"] = {"lease": "2s", "renew": "500ms"}
            mesh.append(await stack.enter_async_context(node))
        for node in mesh:
            node.write()
            node.launch()

        async def told(node: Node) -> Any:
            try:
                return (await node.ask("/v1/nodes")).json()
            except (OSError, TimeoutError):
                return {"nodes": [], "leader": None, "epoch": None}

        async def is_whole() -> bool:
            answers = [await told(node) for node in mesh]
            leaders = {answer["leader"] for answer in answers}
            return all(len(answer["nodes"]) == 3 for answer in answers) and len(leaders) == 1 and None not in leaders

        await mesh[0].until(is_whole, "all hear all and agree on who leads", within_s=40)
        first = await told(mesh[0])
        leader = next(node for node in mesh if f"gw-{node.config['node']['region']}" == first["leader"])
        rest = [node for node in mesh if node is not leader]
        assert leader.supervisor is not None
        leader.supervisor.kill()

        async def is_replaced() -> bool:
            return any([(await told(node))["epoch"] is not None for node in rest])

        await rest[0].until(is_replaced, "another leads", within_s=30)
