"""What a worker process does besides serving: its access log, and what it does when all others are gone."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.harness.node import Backend, Node, Traffic


async def test_access_log_lines_follow_a_rotated_file(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        log = tmp_path / "access.log"
        node.config["observability"] = {"access_log": {"path": "access.log"}}
        await node.start()
        await node.get("/first")
        await node.until(lambda: log.exists() and "/first" in log.read_text(), "the line is there")
        [line] = [json.loads(line) for line in log.read_text().splitlines()]
        assert (line["path"], line["status"], line["route"]) == ("/first", 200, "api")
        log.rename(tmp_path / "access.log.1")
        await node.until(log.exists, "the file is opened again")

        async def is_written() -> bool:
            await node.get("/second")
            return "/second" in log.read_text()

        await node.until(is_written, "lines go to the new file")


async def test_lines_on_stdout_are_whole_whoever_writes_them(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        async with Traffic(node.url, clients=8) as traffic:
            await traffic.more(200)
        assert await node.stop() == 0
        lines = [json.loads(line) for line in (tmp_path / "out.log").read_text().splitlines()]
        assert len(lines) == traffic.total
        assert traffic.failures == []


async def test_with_everything_else_dead_a_worker_serves_on(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        assert node.supervisor is not None
        control, victim = await node.pid("control"), await node.pid("worker", 0)
        node.supervisor.kill()
        await node.gone(node.supervisor.pid)
        os.kill(control, signal.SIGKILL)
        await node.gone(control)
        # Every orphan lets go of the slots it does not serve: a dead one's queue dies with it, and nobody waits there.
        await node.until(
            lambda: [line["process"] for line in node.log("the supervisor is gone")].count("worker") == 2,
            "the orphans know",
        )
        os.kill(victim, signal.SIGKILL)
        await node.gone(victim)
        async with Traffic(node.url, clients=4) as traffic:
            await traffic.more(100)
        assert traffic.statuses == {200: traffic.total}, traffic.refused
        # And even of that one a next node takes over.
        node.launch()
        await node.ready()
        assert (await node.get("/x")).status == 200
