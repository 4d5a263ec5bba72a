"""Three real nodes: they hear each other, one leads, and another does after kill -9, or while the leader is frozen."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.harness.mesh_of_nodes import Mesh, ask
from tests.harness.mesh_of_nodes import told as told_by
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


async def test_a_leader_that_was_frozen_acts_no_more_when_it_is_thawed(tmp_path: Path) -> None:
    order = {"action": "act", "to": "us", "reason": "test"}
    async with Mesh(tmp_path) as mesh, asyncio.TaskGroup() as group:
        await mesh.start()
        name = await mesh.leader()
        assert name is not None
        frozen = mesh.nodes[name]
        rest = [node for node in mesh.nodes.values() if node is not frozen]
        epoch = (await told_by(frozen, "/v1/nodes"))["epoch"]
        assert epoch is not None
        for pid in frozen.alive():
            os.kill(pid, signal.SIGSTOP)
        # The order waits in its socket: it is the first thing that the thawed leader is asked to do.
        asked = group.create_task(ask(frozen, "POST", "/v1/failover", order, within_s=120), name="order")

        async def is_replaced() -> bool:
            return any([((await told_by(node, "/v1/nodes")).get("epoch") or 0) > epoch for node in rest])

        await rest[0].until(is_replaced, "another leads in a newer epoch", within_s=60)
        for pid in frozen.alive():
            os.kill(pid, signal.SIGCONT)
        answer = await asked
        assert (answer.status, answer.json()["reason"]) == (409, "not_leader")

        async def follows() -> bool:
            leaders = [(await told_by(node, "/v1/nodes")).get("leader") for node in mesh.nodes.values()]
            return len(set(leaders)) == 1 and leaders[0] not in (None, f"gw-{name}")

        await frozen.until(follows, "the thawed one follows the leader that all know", within_s=60)
        leader = mesh.nodes[await mesh.leader() or ""]
        assert (await ask(leader, "POST", "/v1/failover", order)).status == 200, "the order itself was good"

        async def has_moved() -> bool:
            shown = [await told_by(node, "/v1/failover") for node in mesh.nodes.values()]
            return all(one.get("primary") == "us" for one in shown)

        await leader.until(has_moved, "all know that us leads", within_s=60)
        for node in mesh.nodes.values():
            acts = [one for one in (await told_by(node, "/v1/decisions"))["decisions"] if one["what"] == "promote"]
            carried = [one for one in acts if one["outcome"] != "refused"]
            assert [(one["node"], one["outcome"], one["epoch"] > epoch) for one in carried] == [
                (leader.config["node"]["id"], "done", True)
            ]
            assert all(one["epoch"] is None for one in acts if one["outcome"] == "refused")
