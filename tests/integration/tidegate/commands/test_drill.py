"""A drill on a mesh of three real nodes: only the node that decides can rehearse the loss of the leading region."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.harness.mesh_of_nodes import REGIONS, Mesh, told
from tests.harness.node import Node


async def drill(node: Node, region: str) -> subprocess.CompletedProcess[str]:
    words = ["drill", "region", region, "--over", "1s", "--hold", "1s", "--json", "--admin", node.admin]
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tidegate", *words],
        env={**os.environ, "TIDEGATE_TOKEN": "s3cret"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def test_the_leading_region_is_rehearsed_by_the_node_that_decides_and_by_no_other(tmp_path: Path) -> None:
    async with Mesh(tmp_path) as mesh:
        await mesh.start()
        leader = await mesh.leader()
        assert leader is not None
        deciding = mesh.nodes[leader]
        other = mesh.nodes[next(name for name in REGIONS if name != leader)]

        async def is_well() -> bool:
            """Each of both sees all regions up, and the plan has somebody to follow."""
            for node in (deciding, other):
                status, failover = await told(node, "/v1/status"), await told(node, "/v1/failover")
                if [one["health"] for one in status.get("regions", ())] != ["up"] * 3 or not failover["plan"]["to"]:
                    return False
            return True

        await deciding.until(is_well, "all regions are well", within_s=30)

        refused = await drill(other, "eu")
        assert refused.returncode == 4, refused.stderr + refused.stdout
        assert f"name gw-{leader} by --admin" in refused.stderr
        assert (await told(deciding, "/v1/drains"))["drains"] == []
        assert (await told(deciding, "/v1/decisions"))["decisions"] == [], "nothing was even begun"

        done = await drill(deciding, "eu")
        assert done.returncode == 0, done.stderr + done.stdout
        report = json.loads(done.stdout)
        assert (report["did_lead"], report["led_meanwhile"], report["is_given_back"]) == (True, "us", True)
        assert (report["meets_rto"], report["meets_rpo"], report["exposure_s"]) == (True, True, 0.0)

        async def is_heard() -> bool:
            return bool((await told(other, "/v1/failover")).get("primary") == "eu")

        await other.until(is_heard, "eu leads again, as the other node knows", within_s=60)
