"""`workers: 0`: the whole node in one process."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests.harness.node import Backend, Node


async def test_one_process_serves_probes_reloads_and_drains(tmp_path: Path) -> None:
    async with Backend("one") as one, Backend("two") as two, Node(tmp_path, one.address, workers=0) as node:
        await node.start()
        assert node.supervisor is not None
        assert node.alive() == {node.supervisor.pid}
        assert (await node.get("/x")).body == b"one /x\n"

        async def is_up() -> bool:
            return bool((await node.status())["endpoints"][0]["health"] == "up")

        await node.until(is_up, "the endpoint is up")
        node.config["services"][0]["endpoints"] = [{"region": "eu", "address": two.address}]
        node.write()
        node.supervisor.send_signal(signal.SIGHUP)

        async def is_moved() -> bool:
            return (await node.get("/x")).body == b"two /x\n"

        await node.until(is_moved, "the new endpoint is in force")
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(node.get("/hold"), name="slow")
            await node.until(lambda: two.holding == 1, "the request is in flight")
            node.supervisor.terminate()
            await node.until(lambda: bool(node.log("draining")), "it drains")
            two.release.set()
            assert await node.ended() == 0
        assert slow.result().status == 200


async def test_one_process_that_was_killed_leaves_nothing_in_the_way_of_the_next(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address, workers=0) as node:
        await node.start()
        assert node.supervisor is not None
        node.supervisor.kill()
        await node.gone(node.supervisor.pid)
        await node.start()
        assert (await node.get("/x")).status == 200
        assert await node.stop() == 0


async def test_one_process_takes_over_from_the_orphans_of_several(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address, workers=2) as node:
        await node.start()
        assert node.supervisor is not None
        orphans = node.alive() - {node.supervisor.pid}
        node.supervisor.kill()
        await node.gone(node.supervisor.pid)
        node.config["node"]["workers"] = 0
        node.write()
        node.launch()
        await node.ready()
        for orphan in orphans:
            await node.gone(orphan)
        assert (await node.get("/x")).status == 200
        assert await node.stop() == 0
