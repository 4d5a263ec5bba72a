"""slowhttptest holds hundreds of connections slowly; a client that comes meanwhile is served as if it were alone."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import pytest
from aiohttp import web

from tests.harness.node import Node, fetch, ports

SECONDS = 5
WITHIN_S = 1.0
"""For every single answer: far above what it takes (some ms), on two processors that all the tests share."""

ATTACKS = {
    "slow heads": ("-c", "300", "-H", "-i", "1", "-t", "GET"),
    "slow bodies": ("-c", "300", "-B", "-i", "1", "-s", "8192", "-t", "POST"),
    "slow reading": ("-c", "60", "-X", "-w", "8", "-y", "16", "-n", "1", "-z", "8", "-k", "1"),
}


async def _answer(request: web.Request) -> web.Response:
    return web.Response(body=bytes(4 * 1024 * 1024) if request.path == "/large" else b"ok")


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_slow_crowd_costs_nobody_else(attack: str, tmp_path: Path) -> None:
    program = shutil.which("slowhttptest")
    if program is None:
        pytest.skip("slowhttptest is not installed: scripts/setup --tests")
    [port] = ports(1)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", _answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        async with Node(tmp_path, f"127.0.0.1:{port}", workers=1) as node:
            node.config["listeners"][0]["timeouts"] = {"header": "2s", "body_idle": "2s", "write": "2s"}
            await node.start()
            crowd = (program, *ATTACKS[attack], "-r", "300", "-l", str(SECONDS), "-p", "2")
            longest, asked, said = await _beside(node, *crowd, "-u", f"{node.url}/large")
            assert "Exit status" in said, said[-2000:]
            assert asked > SECONDS * 5
            assert longest < WITHIN_S, f"one of {asked} requests took {longest:.2f} s"
            assert (await node.status())["state"] == "ready"
    finally:
        await runner.cleanup()


async def _beside(node: Node, *command: str) -> tuple[float, int, str]:
    """While the command runs, ask as anybody would: the longest wait, how many answers, and what the command said."""
    crowd = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    longest, asked = 0.0, 0
    try:
        async with asyncio.timeout(SECONDS * 4), asyncio.TaskGroup() as group:
            said = group.create_task(crowd.communicate())
            while not said.done():
                began = time.monotonic()
                answer = await fetch("GET", f"{node.url}/other")
                longest = max(longest, time.monotonic() - began)
                asked += 1
                assert answer.status == 200
                await asyncio.sleep(0.02)
    finally:
        if crowd.returncode is None:
            crowd.kill()
            await crowd.wait()
    return longest, asked, said.result()[0].decode(errors="replace")
