"""slowhttptest holds hundreds of connections slowly; a client that comes meanwhile is served as if it were alone."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import pytest

from tests.harness.node import Node
from tests.harness.recording import converse

SECONDS = 5
LARGE = 4 * 1024 * 1024
"""More than the kernel buffers for one connection."""
ORDINARY = b"GET /other HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
WITHIN_S = 1.0
"""For every single answer: far above what it takes (some ms), on two processors that all the tests share."""

ATTACKS = {
    "slow heads": ("-c", "300", "-H", "-i", "1", "-t", "GET"),
    "slow bodies": ("-c", "300", "-B", "-i", "1", "-s", "8192", "-t", "POST"),
    "slow reading": ("-c", "60", "-X", "-w", "8", "-y", "16", "-n", "1", "-z", "8", "-k", "1"),
}


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that is never the bottleneck: it gives as fast as it is taken from, and waits for bodies."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if head.startswith(b"POST"):
                await reader.read()  # all of it, however slowly it comes
                break
            size = LARGE if b" /large " in head else 2
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            for at in range(0, size, 65536):
                writer.write(bytes(min(65536, size - at)))
                await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_slow_crowd_costs_nobody_else(attack: str, tmp_path: Path) -> None:
    program = shutil.which("slowhttptest")
    if program is None:
        pytest.fail("slowhttptest is not installed: scripts/setup --tests")
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, backlog=1024)
    async with Node(tmp_path, f"127.0.0.1:{server.sockets[0].getsockname()[1]}", workers=1) as node:
        node.config["listeners"][0]["timeouts"] = {"header": "2s", "body_idle": "2s", "write": "2s"}
        node.config["services"][0]["health_check"] = {"protocol": "tcp", "timeout": "3s"}
        await node.start()
        crowd = (program, *ATTACKS[attack], "-r", "300", "-l", str(SECONDS), "-p", "2", "-u", f"{node.url}/large")
        longest, asked, said = await _beside(node, *crowd)
        assert "Exit status" in said, said[-2000:]
        assert asked > SECONDS
        assert longest < WITHIN_S, f"one of {asked} requests took {longest:.2f} s"
        assert (await node.status())["state"] == "ready"
    server.close()


async def _beside(node: Node, *command: str) -> tuple[float, int, str]:
    """While the command runs, ask as anybody would: the longest wait, how many answers, and what the command said."""
    crowd = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    longest, asked = 0.0, 0
    try:
        async with asyncio.timeout(SECONDS * 5), asyncio.TaskGroup() as group:
            said = group.create_task(crowd.communicate())
            while not said.done():
                began = time.monotonic()
                received, _ = await converse(node.port, [ORDINARY])
                longest = max(longest, time.monotonic() - began)
                asked += 1
                assert received.startswith(b"HTTP/1.1 200 "), received
                await asyncio.sleep(0.02)
    finally:
        if crowd.returncode is None:
            crowd.kill()
            await crowd.wait()
    return longest, asked, said.result()[0].decode(errors="replace")
