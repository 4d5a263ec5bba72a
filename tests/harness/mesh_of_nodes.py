"""A mesh of three real nodes, one a region, each with a backend in its own region.

async with Mesh(tmp_path) as mesh:          # change mesh.nodes[...].config before `start`
    await mesh.start()
    eu, us, asia = mesh.nodes.values()
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.harness.node import Answer, Backend, Node, fetch, ports

REGIONS = ("eu", "us", "asia")
ENVIRON = {"MESH_KEY": "key", "MESH_SECRET": "secret", "OPS": "s3cret"}


class Mesh:
    """`edit` changes the configuration that all share, before they start."""

    def __init__(
        self,
        directory: Path,
        *,
        edit: Callable[[dict[str, Any]], None] = lambda config: None,
        environ: dict[str, str] | None = None,
        regions: Sequence[str] = REGIONS,
    ) -> None:
        self._directory = directory
        self._regions = regions
        self._edit = edit
        self._environ = ENVIRON | (environ or {})
        self._stack = AsyncExitStack()
        self.backends: dict[str, Backend] = {}
        self.nodes: dict[str, Node] = {}

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        for name in self._regions:
            self.backends[name] = await self._stack.enter_async_context(Backend(name))
        peer_ports = dict(zip(self._regions, ports(len(self._regions)), strict=True))
        for name in self._regions:
            (self._directory / name).mkdir()
            node = Node(self._directory / name, self.backends[name].address, workers=0, environ=self._environ)
            self.nodes[name] = await self._stack.enter_async_context(node)
            self._configure(node, name, peer_ports)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def _configure(self, node: Node, region: str, peer_ports: dict[str, int]) -> None:
        node.config["node"] |= {"id": f"gw-{region}", "region": region}
        node.config["regions"] = [
            {"id": name, "priority": number, "peers": [f"http://127.0.0.1:{peer_ports[name]}"]}
            for number, name in enumerate(self._regions)
        ]
        node.config["regions"][0]["role"] = "primary"
        endpoints = [{"region": name, "address": self.backends[name].address} for name in self._regions]
        node.config["services"][0]["endpoints"] = endpoints
        node.config["peer"] = {"bind": f"127.0.0.1:{peer_ports[region]}", "secret": "env:MESH_SECRET"}
        node.config["secrets"] = {"signing_keys": ["env:MESH_KEY"]}
        node.config["election"] = {"lease": "2s", "renew": "500ms"}
        node.config["failover"] = {"trigger": "automatic", "detection": {"interval": "250ms", "timeout": "2s"}}
        node.config["admin"]["tokens"] = [{"name": "ops", "role": "operator", "token": "env:OPS"}]
        self._edit(node.config)

    async def start(self) -> None:
        """All of them, until each hears all, all have the same configuration, and agree on who leads."""
        for node in self.nodes.values():
            node.write()
            node.launch()
        await self.whole()

    async def whole(self) -> None:
        """Each hears all nodes, and a witness where there is one; peers have reached themselves."""
        has_peers = all(node.config.get("peer") for node in self.nodes.values())

        async def is_whole() -> bool:
            answers = await asyncio.gather(*(told(node, "/v1/nodes") for node in self.nodes.values()))
            leaders = {answer.get("leader") for answer in answers}
            return (
                all(len(answer.get("nodes", ())) >= len(self.nodes) for answer in answers)
                and all(one["same_config"] for answer in answers for one in answer["nodes"])
                and all(one["address"] for answer in answers for one in answer["nodes"] if has_peers)
                and leaders.isdisjoint({None})
                and len(leaders) == 1
            )

        await next(iter(self.nodes.values())).until(is_whole, "all hear all and agree on who leads", within_s=60)

    async def stop(self, region: str) -> None:
        """The node alone dies; its backend goes on."""
        supervisor = self.nodes[region].supervisor
        assert supervisor is not None
        supervisor.kill()
        supervisor.wait()

    async def leader(self) -> str | None:
        """The region of the node that leads, as any node knows."""
        for node in self.nodes.values():
            leader = (await told(node, "/v1/nodes")).get("leader")
            if leader is not None:
                return str(leader).removeprefix("gw-")
        return None

    async def kill(self, region: str) -> None:
        """The region dies: its node and its backend."""
        supervisor = self.nodes[region].supervisor
        assert supervisor is not None
        supervisor.kill()
        await self.backends[region].stop()

    async def revive(self, region: str) -> None:
        await self.backends[region].start()
        self.nodes[region].launch()


async def ask(node: Node, method: str, path: str, body: Any = None, *, within_s: float = 20) -> Answer:
    raw = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": "Bearer s3cret"}
    return await fetch(method, node.admin + path, headers=headers, body=raw, within_s=within_s)


async def told(node: Node, path: str) -> Any:
    """The answer; nothing when there is none."""
    try:
        return (await ask(node, "GET", path)).json()
    except (OSError, TimeoutError):
        return {}
