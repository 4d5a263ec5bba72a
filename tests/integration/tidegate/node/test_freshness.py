"""Two real regions: a session is served where its writes are, and follows them as they travel."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from chaos.toxiproxy import find_server, running
from tests.architecture.tree import REPOSITORY
from tests.harness.node import Answer, Backend, Node, fetch, ports

REGIONS = ("eu", "us")


def configure(node: Node, region: str, addresses: dict[str, str], bind: str, backends: dict[str, Backend]) -> None:
    node.config["node"] |= {"id": f"gw-{region}", "region": region}
    node.config["regions"] = [{"id": name, "peers": [f"http://{addresses[name]}"]} for name in REGIONS]
    node.config["services"][0]["endpoints"] = [{"region": name, "address": backends[name].address} for name in REGIONS]
    node.config["peer"] = {"bind": bind, "secret": "env:MESH_SECRET"}
    node.config["secrets"] = {"signing_keys": ["env:MESH_KEY"]}
    node.config["sync"] = {"collections": [{"name": "notes", "data_type": "note", "conflict": "vector_clock"}]}
    node.config["residency"] = {"rules": [{"data_type": "note", "allowed_regions": "*"}]}
    route: dict[str, Any] = {"service": "api", "data_types": ["note"], "consistency": "read_your_writes"}
    node.config["routes"] = [
        {"id": "data", "match": {"path": "/data/v1/*"}, "service": "builtin:data"},
        {
            **route,
            "id": "here",
            "match": {"path": "/here/*"},
            "region_routing": {"failover": "manual"},
            "consistency_wait": "100ms",
        },
        {**route, "id": "patient", "match": {"path": "/patient/*"}, "consistency_wait": "50s"}
        | {"region_routing": {"failover": "manual"}},
        {**route, "id": "near", "match": {"path": "/near/*"}, "consistency": "bounded(4s)", "consistency_wait": "0s"}
        | {"region_routing": {"failover": "manual"}},
        {**route, "id": "app", "match": {"path": "/*"}},
    ]
    node.write()
    node.launch()


async def put(node: Node, key: str) -> Answer | None:
    try:
        answer = await fetch("PUT", f"{node.url}/data/v1/notes/{key}", body=b"v", within_s=5)
    except (OSError, TimeoutError):
        return None
    return answer if answer.status in {200, 201} else None


async def test_a_session_is_served_where_its_writes_are_also_while_the_wire_is_cut(  # noqa: C901 - one story
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack:
        backends = {name: await stack.enter_async_context(Backend(name)) for name in REGIONS}
        toxiproxy = await stack.enter_async_context(
            running(find_server(REPOSITORY), log=tmp_path / "toxiproxy.log", rng=random.Random())
        )
        binds = {name: f"127.0.0.1:{port}" for name, port in zip(REGIONS, ports(2), strict=True)}
        wires = {name: await toxiproxy.link(name, upstream=binds[name]) for name in REGIONS}
        mesh: dict[str, Node] = {}
        for region in REGIONS:
            (tmp_path / region).mkdir()
            environ = {"MESH_KEY": "key", "MESH_SECRET": "secret"}
            node = Node(tmp_path / region, backends[region].address, workers=1, environ=environ)
            mesh[region] = await stack.enter_async_context(node)
            addresses = {name: binds[name] if name == region else wires[name].listen for name in REGIONS}
            configure(node, region, addresses, binds[region], backends)
        eu, us = mesh.values()

        async def reads(path: str, session: str, within_s: float = 60.0) -> tuple[int, str]:
            answer = await us.get(path, headers={"Tidegate-Session": session}, within_s=within_s)
            text = answer.body.decode()
            return answer.status, answer.json()["reason"] if answer.status >= 400 else text.split(" ")[0]

        async def takes_writes() -> bool:
            return await put(eu, "first") is not None

        await eu.until(takes_writes, "eu takes writes", within_s=60)
        first = await put(eu, "a")
        assert first is not None
        session = first.headers["Tidegate-Session"]

        async def is_served_here() -> bool:
            try:
                return await reads("/here/x", session) == (200, "us")
            except OSError:
                return False

        await us.until(is_served_here, "the write has come to us, and its data plane knows", within_s=60)
        assert await reads("/x", session) == (200, "us")

        async def is_near() -> bool:
            return await reads("/near/x", "") == (200, "us")

        await us.until(is_near, "us is near enough to eu", within_s=60)

        def says_what_it_has() -> bool:
            return any(line["region"] == "us" for line in eu.log("peer reached"))

        await eu.until(says_what_it_has, "eu asks us, and so says what it has itself", within_s=60)

        for wire in wires.values():
            await wire.cut()
        second = await put(eu, "b")
        assert second is not None
        session = second.headers["Tidegate-Session"]

        async def is_served_there() -> bool:
            found = await reads("/x", session)
            assert found in {(200, "eu"), (503, "behind_session")}, "never where its write is not"
            return found == (200, "eu")

        await us.until(is_served_there, "its own region is behind, so it is served in the other")
        assert await reads("/here/x", session) == (503, "behind_session")
        assert await reads("/here/x", first.headers["Tidegate-Session"]) == (200, "us"), "older sessions stay"
        assert (await us.get("/here/x", headers={"Tidegate-Session": session + "A"})).status == 400

        async def is_far() -> bool:
            return await reads("/near/x", "") == (503, "too_far_behind")

        await us.until(is_far, "us is too far behind eu", within_s=60)

        async def heal() -> None:
            for wire in wires.values():
                await wire.restore()

        waited, _ = await asyncio.gather(reads("/patient/x", session), heal())
        assert waited == (200, "us"), "it was held until its write had come"
        told = await us.ask("/metrics")
        assert 'reason="behind_session"' in told.body.decode()
