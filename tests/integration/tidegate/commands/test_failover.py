"""A region for disasters takes over by itself when the primary dies, and gives back by a person's word."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.harness.node import Backend, Node, fetch


async def run(node: Node, *words: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tidegate", *words],
        env={**os.environ, "TIDEGATE_ADMIN": node.admin, "TIDEGATE_TOKEN": "s3cret"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def ask(node: Node, path: str) -> Any:
    answer = await fetch("GET", node.admin + path, headers={"Authorization": "Bearer s3cret"})
    return answer.json()


async def test_the_region_for_disasters_takes_over_when_the_primary_dies_and_gives_back_on_demand(
    tmp_path: Path,
) -> None:
    async with (
        Backend("eu") as eu,
        Backend("us") as us,
        Node(tmp_path, eu.address, workers=0, environ={"OPS": "s3cret"}) as node,
    ):
        node.config["node"]["region"] = "us"
        node.config["regions"] = [{"id": "eu", "role": "primary"}, {"id": "us", "role": "disaster_recovery"}]
        node.config["services"][0]["endpoints"].append({"region": "us", "address": us.address})
        node.config["admin"]["tokens"] = [{"name": "ops", "role": "operator", "token": "env:OPS"}]
        for region in node.config["regions"]:
            region["gateway"] = f"https://{region['id']}.gw.example.test"
        node.config["failover"] = {
            "trigger": "automatic",
            "detection": {"interval": "200ms", "timeout": "1s"},
            "dns": {"server": "127.0.0.1", "port": 1, "zone": "example.test", "name": "api"},
        }
        node.config["routes"][0]["region_routing"] = {"strategy": "failover", "prefer_local": False}
        node.write()
        node.launch()

        async def plan() -> Any:
            try:
                return await ask(node, "/v1/failover")
            except OSError:
                return None

        async def is_ready() -> bool:
            found = await plan()
            return found is not None and found["plan"]["to"] == "us"

        await node.until(is_ready, "us could follow", within_s=60)
        for number in range(20):
            assert (await node.get(f"/{number}")).status == 200
        assert us.requests() == [], "no disaster, no traffic, though it is the node's own region"
        told = await run(node, "failover", "--plan")
        assert told.returncode == 0, told.stderr
        assert "us would follow; lost would be nothing" in told.stdout
        assert "it would point to us.gw.example.test (us)" in told.stdout
        assert "it could not be moved: no use of 127.0.0.1" in told.stdout

        await eu.stop()

        async def has_moved() -> bool:
            found = await plan()
            return found is not None and found["primary"] == "us"

        await node.until(has_moved, "us leads", within_s=60)

        async def serves() -> bool:
            return (await node.get("/after")).status == 200

        await node.until(serves, "us serves")
        said = (await ask(node, "/v1/decisions"))["decisions"]
        assert [(one["what"], one["target"], one["author"], one["outcome"]) for one in said] == [
            ("promote", "region/us", "leader", "done")
        ]
        assert isinstance(said[0]["epoch"], int)
        refused = await run(node, "failover", "--failback")
        assert refused.returncode == 4
        assert "eu: it is down" in refused.stderr
        last = (await ask(node, "/v1/decisions?limit=1"))["decisions"][0]
        assert (last["what"], last["target"], last["author"], last["outcome"]) == (
            "promote",
            "region/eu",
            "ops",
            "refused",
        )

        await eu.start()

        async def is_well() -> bool:
            votes = (await ask(node, "/v1/failover?to=eu"))["plan"]["candidates"]
            return bool(votes[0]["may"])

        await node.until(is_well, "eu is well again", within_s=60)
        back = await run(node, "failover", "--failback", "--reason", "repaired", "--json")
        assert back.returncode == 0, back.stderr
        assert json.loads(back.stdout)["primary"] == "eu"
