"""`tidegate status` and `tidegate explain` of a running node, as a person calls them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.harness.node import Backend, Node, ports


async def run(*words: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:

    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tidegate", *words],
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


async def test_status_and_explain_of_a_running_node(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        told = await run("status", "--admin", node.admin)
        assert told.returncode == 0
        assert "gw1 in eu: ready" in told.stdout
        assert f"api/eu/{backend.address}" in told.stdout
        assert re.search(r"^api +up +1/1 +eu up 1/1 +1 of 1 endpoint up", told.stdout, re.MULTILINE), told.stdout
        as_json = await run("status", "--json", environ={"TIDEGATE_ADMIN": node.admin})
        assert json.loads(as_json.stdout)["node"] == "gw1"
        explained = await run("explain", "--admin", node.admin, "--json", "-H", "Accept: */*", "GET", "http://a/x")
        assert json.loads(explained.stdout)["decision"]["endpoint"] == f"api/eu/{backend.address}"
        people = await run("explain", "--admin", node.admin, "GET", "http://a/x")
        assert f"api/eu/{backend.address} in region eu" in people.stdout
        refused = await run("explain", "--admin", node.admin, "GE T", "http://a/x")
        assert refused.returncode == 2


async def test_a_node_that_wants_a_token_declines_without_one(tmp_path: Path) -> None:
    async with (
        Backend() as backend,
        Node(tmp_path, backend.address, workers=0, environ={"OPS": "s3cret"}) as node,
    ):
        node.config["admin"]["tokens"] = [{"name": "ops", "role": "viewer", "token": "env:OPS"}]
        node.write()
        node.launch()

        async def is_up() -> bool:
            try:
                return (await node.ask("/readyz")).status == 200
            except OSError:
                return False

        await node.until(is_up, "the node is ready", within_s=60)
        declined = await run("status", "--admin", node.admin)
        assert declined.returncode == 4
        assert "bearer token" in declined.stderr
        assert (await run("status", "--admin", node.admin, environ={"TIDEGATE_TOKEN": "s3cret"})).returncode == 0


async def test_a_node_that_is_not_there_is_exit_code_3() -> None:
    told = await run("status", "--admin", f"http://127.0.0.1:{ports(1)[0]}")
    assert told.returncode == 3
    assert "is it running" in told.stderr
