"""`tidegate nodes` of a mesh of three real nodes, as a person and a program see it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.harness.mesh_of_nodes import REGIONS, Mesh, told
from tests.harness.node import Node


async def nodes(node: Node, *words: str) -> str:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tidegate", "nodes", "--admin", node.admin, *words],
        env={**os.environ, "TIDEGATE_TOKEN": "s3cret", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(text: str) -> dict[str, list[str]]:
    """By node, the cells of its row behind its name."""
    table = [re.split(r" {2,}", line.strip()) for line in text.splitlines() if line.startswith("gw-")]
    return {cells[0]: cells[1:] for cells in table}


async def test_the_table_names_each_node_who_leads_who_differs_and_who_does_not_answer(tmp_path: Path) -> None:
    async with Mesh(tmp_path) as mesh:
        await mesh.start()
        eu, us, _ = mesh.nodes.values()
        leader = await mesh.leader()
        text = await nodes(eu)
        assert text.startswith(f"leader: gw-{leader}; "), text
        assert rows(text).keys() == {f"gw-{name} leads" if name == leader else f"gw-{name}" for name in REGIONS}
        for name, (region, address, state, _, config, in_flight, heard) in rows(text).items():
            assert region == name.removeprefix("gw-").removesuffix(" leads")
            assert address == eu.config["regions"][REGIONS.index(region)]["peers"][0]
            assert (state, in_flight) == ("ready", "0")
            assert re.fullmatch(r"[0-9a-f]{12}", config), "the same everywhere"
            assert re.fullmatch(r"[0-4]\.\d s ago", heard)
        as_json = json.loads(await nodes(eu, "--json"))
        assert {one["node"] for one in as_json["nodes"]} == {f"gw-{name}" for name in REGIONS}

        us.config["routes"][0]["match"]["path"] = "/elsewhere/*"
        us.write()
        await mesh.kill("asia")

        async def is_seen() -> bool:
            found = await told(eu, "/v1/nodes")
            differing = {one["node"] for one in found.get("nodes", ()) if not one["same_config"]}
            return differing == {"gw-us"} and len(found["nodes"]) == 2 and bool(found["unreached"])

        await eu.until(is_seen, "us differs and asia is silent", within_s=40)
        text = await nodes(eu)
        found = {name.removesuffix(" leads"): cells for name, cells in rows(text).items()}
        assert found.keys() == {"gw-eu", "gw-us"}
        assert re.fullmatch(r"[0-9a-f]{12} differs", found["gw-us"][4])
        silent = eu.config["regions"][REGIONS.index("asia")]["peers"][0]
        assert f"no answer from {silent}: " in text
