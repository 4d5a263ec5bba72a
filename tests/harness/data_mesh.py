"""Regions of real nodes that hold clients' data: one node a region, peers by signed requests, `builtin:data` exposed.

async with data_mesh(tmp_path, collections=[...], regions=("eu", "us")) as nodes:
    status, headers, body = await ask(nodes["eu"], "PUT", "notes/k", b"v")
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from tests.harness.node import Backend, Node, ports

OPERATOR = "s3cret-of-ops"


@asynccontextmanager
async def data_mesh(
    tmp_path: Path,
    *,
    collections: Sequence[Mapping[str, Any]],
    regions: Sequence[str] = ("eu", "us"),
    change: Callable[[Node], None] = lambda node: None,
    environ: Mapping[str, str] | None = None,
    **node_facts: Any,
) -> AsyncIterator[dict[str, Node]]:
    """By region, serving. Every data type may go everywhere; `change` has the last word on each configuration.

    The admin API knows one token, `OPERATOR`, of the role operator.
    """
    peer_ports = dict(zip(regions, ports(len(regions)), strict=True))
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(Backend())
        mesh: dict[str, Node] = {}
        for region, port in peer_ports.items():
            (tmp_path / region).mkdir()
            secrets = {"MESH_KEY": "key", "MESH_SECRET": "secret", "OPS": OPERATOR, **(environ or {})}
            node = Node(tmp_path / region, backend.address, environ=secrets, **node_facts)
            node.config["node"] |= {"id": f"gw-{region}", "region": region}
            node.config["admin"]["tokens"] = [{"name": "ops", "role": "operator", "token": "env:OPS"}]
            node.config["regions"] = [
                {"id": name, "peers": [f"http://127.0.0.1:{at}"]} for name, at in peer_ports.items()
            ]
            node.config["services"][0]["endpoints"][0]["region"] = regions[0]
            node.config["peer"] = {"bind": f"127.0.0.1:{port}", "secret": "env:MESH_SECRET"}
            node.config["secrets"] = {"signing_keys": ["env:MESH_KEY"]}
            node.config["sync"] = {"collections": list(collections)}
            types = sorted({one["data_type"] for one in collections})
            node.config["residency"] = {"rules": [{"data_type": name, "allowed_regions": "*"} for name in types]}
            data = {"id": "data", "match": {"path": "/data/v1/*"}, "service": "builtin:data"}
            node.config["routes"] = [data, *node.config["routes"]]
            change(node)
            mesh[region] = await stack.enter_async_context(node)
        for node in mesh.values():
            node.write()
            node.launch()
        first = str(collections[0]["name"])
        for node in mesh.values():
            await node.until(partial(serves_data, node, first), "data is served", within_s=60)
        yield mesh


async def serves_data(node: Node, collection: str) -> bool:
    """Not `ready`: these nodes' files differ in their ports, which each says of the other."""
    try:
        return (await ask(node, "GET", collection))[0] in {200, 401}
    except (aiohttp.ClientError, OSError):
        return False


async def ask(node: Node, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
    """Of the data API; header names are written with underscores."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{node.url}/data/v1/{path}", data=body, headers=fields) as answer,
    ):
        return answer.status, answer.headers, await answer.read()


async def reads(node: Node, path: str, body: bytes) -> bool:
    status, _, found = await ask(node, "GET", path)
    return (status, found) == (200, body)


async def administer(node: Node, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Of the admin API, as the operator."""
    headers = {"Authorization": f"Bearer {OPERATOR}"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{node.admin}{path}", json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


async def run(node: Node, *words: str) -> subprocess.CompletedProcess[str]:
    """`tidegate ...` as the operator."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tidegate", *words],
        env={**os.environ, "TIDEGATE_ADMIN": node.admin, "TIDEGATE_TOKEN": OPERATOR},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
