"""A real node of two workers: what one does not use, the other may, and what one has taken, the other refuses."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from config.core.signing import Signer
from gateway.core.hops import Hop, bound_to, field_line
from tests.harness.node import Backend, Node
from tidegate.node.wall import wall

CAP = 8


def worker_of(local_port: int, node_port: int, pids: list[int]) -> int | None:
    """Whose connection it is, of the processes `pids`, by what the kernel says of sockets."""
    inode = None
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(f":{node_port:04X}") and words[2].endswith(f":{local_port:04X}"):
            inode = words[9]
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if str(link.readlink()) == f"socket:[{inode}]":
                    return pid
            except FileNotFoundError:
                continue
    return None


class Client:
    """A connection that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.port: int = writer.get_extra_info("sockname")[1]

    async def ask(self, path: bytes = b"/hold", lines: bytes = b"") -> None:
        self.writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n")
        await self.writer.drain()

    async def status(self) -> int:
        async with asyncio.timeout(20):
            head = await self.reader.readuntil(b"\r\n\r\n")
        return int(head.split(b" ")[1])


@asynccontextmanager
async def clients(node: Node, pids: list[int], count: int) -> AsyncIterator[dict[int, list[Client]]]:
    """`count` connections that each worker has accepted; the kernel deals them out."""
    found: dict[int, list[Client]] = {pid: [] for pid in pids}
    spare: list[Client] = []
    try:
        while min(len(those) for those in found.values()) < count:
            client = Client(*await asyncio.open_connection("127.0.0.1", node.port))
            whose: int | None = None

            def is_accepted(client: Client = client) -> bool:
                nonlocal whose
                whose = worker_of(client.port, node.port, pids)
                return whose is not None

            await node.until(is_accepted, "it is accepted")
            assert whose is not None
            (found[whose] if len(found[whose]) < count else spare).append(client)
        yield found
    finally:
        for client in [*spare, *(each for those in found.values() for each in those)]:
            client.writer.close()


async def test_a_worker_that_is_short_uses_what_the_other_leaves_and_the_sum_is_exact(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address, workers=2) as node:
        node.config["services"][0]["concurrency"] = {"max_requests": CAP, "max_pending": 1000}
        node.config["services"][0]["timeouts"] = {"connect": "60s"}
        await node.start()
        pids = [await node.pid("worker", 0), await node.pid("worker", 1)]
        async with clients(node, pids, 2 * CAP) as of:
            busy, idle = of[pids[0]], of[pids[1]]
            for client in busy:
                await client.ask()
            await node.until(lambda: backend.holding == CAP - 1, "all but the other worker's own place are used")
            await idle[0].ask()
            await node.until(lambda: backend.holding == CAP, "which it has at once")
            for client in idle[1:]:
                await client.ask()

            async def all_wait() -> bool:
                told = (await node.ask("/metrics")).body.decode()
                return f'tidegate_service_pending{{service="api"}} {3 * CAP:.1f}\n' in told

            await node.until(all_wait, "the others wait")
            assert backend.holding == CAP
            backend.release.set()
            statuses = await asyncio.gather(*(client.status() for client in [*busy, *idle]))
            assert statuses == [200] * (4 * CAP)
        assert backend.most == CAP


async def test_a_worker_that_is_killed_leaves_its_places_to_its_successor(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address, workers=2) as node:
        node.config["services"][0]["concurrency"] = {"max_requests": CAP, "max_pending": 1000}
        node.config["services"][0]["timeouts"] = {"connect": "60s"}
        await node.start()
        pids = [await node.pid("worker", 0), await node.pid("worker", 1)]
        async with clients(node, pids, CAP) as of:
            for client in of[pids[0]]:
                await client.ask()
            await node.until(lambda: backend.holding == CAP - 1, "the first worker uses nearly all")
            os.kill(pids[0], signal.SIGKILL)
            for client in of[pids[1]]:
                await client.ask()
            # The backend does not hear that the first ones are gone: it goes on holding them, too.
            await node.until(lambda: backend.holding == 2 * (CAP - 1), "the second has what it held", within_s=30)
            backend.release.set()
            assert {await client.status() for client in of[pids[1]]} == {200}


async def test_a_hop_is_taken_once_whichever_worker_gets_it_again(tmp_path: Path) -> None:
    key = "k" * 32
    async with Backend() as backend, Node(tmp_path, backend.address, workers=2, environ={"KEY": key}) as node:
        node.config["regions"] = [{"id": "eu", "reach": "gateway", "gateway": node.url}]
        node.config["secrets"] = {"signing_keys": ["env:KEY"]}
        await node.start()
        pids = [await node.pid("worker", 0), await node.pid("worker", 1)]
        hop = Hop(
            at=wall(),
            nonce=4711,
            source="gw-us",
            destination="eu",
            route="api",
            service="api",
            client_ip="192.0.2.1",
            country=None,
            is_copy=False,
            bound_to=bound_to("GET", b"/x", b""),
        )
        line = field_line(Signer([key.encode()]), hop)
        async with clients(node, pids, 2) as of:
            one, again = of[pids[0]]
            other, _ = of[pids[1]]
            statuses = []
            for client in (one, other, again):
                await client.ask(b"/x", line)
                statuses.append(await client.status())
        assert statuses == [200, 403, 403]
        assert len(backend.requests()) == 1
