"""A healthy node, a sick one, and none at all; and `top` and `events` of a real one."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.harness.node import Backend, Node, ports
from tidegate.commands.doctor import node_checks


async def run(node: Node, *words: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tidegate", *words, "--admin", node.admin],
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_a_healthy_node_has_nothing_wrong_and_a_sick_one_says_what(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        well = await run(node, "doctor", "--config", str(node.file))
        assert well.returncode == 0, well.stdout
        for word in ("data directory", "open files", "gw1 is ready", "0 of 1 are down", "clock"):
            assert word in well.stdout
        assert "failed" not in well.stdout
        shown = await run(node, "top", "--once")
        assert shown.returncode == 0, shown.stderr
        assert "gw1 in eu: ready" in shown.stdout
        await backend.stop()

        async def is_down() -> bool:
            return bool((await node.status())["endpoints"][0]["health"] == "down")

        await node.until(is_down, "the backend is known to be down")
        node.file.write_text("version: 2")
        sick = await run(node, "doctor", "--config", str(node.file), "--json")
        assert sick.returncode == 1
        standing = {(one["name"], one["standing"]) for one in json.loads(sick.stdout)["checks"]}
        assert {("configuration", "failed"), ("endpoints", "warning"), ("node", "ok")} <= standing
        node.admin_port = ports(1)[0]
        assert (await run(node, "doctor", "--config", str(node.file))).returncode == 3


def test_what_a_node_says_of_itself_becomes_checks() -> None:
    told: dict[str, Any] = {
        "node": "gw1",
        "state": "starting",
        "now": "2026-01-01T00:00:10.000Z",
        "degraded": ["the supervisor is gone"],
        "config": {"digest": "a"},
        "processes": {"children": [{"role": "worker", "slot": 1, "restarts": 3}]},
        "leadership": {"frozen": "1 of 3 answered", "reason": ""},
        "endpoints": [{"endpoint": "api/eu/x:1", "health": "down"}],
    }
    found = {(one.name, one.standing): one.detail for one in node_checks(told, digest="b", now=1767225600.0)}
    assert found["node", "failed"] == "degraded: the supervisor is gone"
    assert "another than the file's" in found["configuration in force", "warning"]
    assert found["processes", "warning"] == "worker 1 was restarted 3 times"
    assert found["decisions", "failed"] == "1 of 3 answered"
    assert found["endpoints", "warning"] == "1 of 1 are down: api/eu/x:1"
    assert found["clock", "warning"].startswith("10.0 s")
