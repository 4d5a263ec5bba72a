"""A node whose listening sockets belong to the service manager: from descriptor 3, as systemd passes them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.harness.node import READY_WITHIN_S, Backend, Node, Traffic

SERVICE_MANAGER = """
import fcntl, os, sys
numbers, names, program = sys.argv[1].split(","), sys.argv[2], sys.argv[3:]
copies = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in numbers]
os.closerange(3, 100)
for index, copy in enumerate(copies):
    os.dup2(copy, 3 + index)
os.closerange(100, 200)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(numbers)), LISTEN_FDNAMES=names)
os.execv(program[0], program)
"""


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """Without SO_REUSEPORT: whoever tries to bind its address too, fails."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as made:
        yield made


def activated(tmp_path: Path, backend: Backend, sockets: Mapping[str, socket.socket], *, workers: int = 2) -> Node:
    numbers = [each.fileno() for each in sockets.values()]
    manager = [sys.executable, "-c", SERVICE_MANAGER, ",".join(map(str, numbers)), ":".join(sockets)]
    program = [*manager, sys.executable, "-m", "tidegate"]
    node = Node(tmp_path, backend.address, workers=workers, program=program, inherit=numbers)
    for each in sockets.values():
        host, port = each.getsockname()
        if each is sockets.get("admin"):
            node.admin_port = port
            node.config["admin"]["bind"] = f"{host}:{port}"
        else:
            node.port = port
            node.config["listeners"][0]["bind"] = f"{host}:{port}"
    return node


async def asked(port: int, count: int) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connections that have sent a request each."""
    connections = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(count)))
    for _, writer in connections:
        writer.write(b"GET /queued HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    return connections


async def statuses(connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> set[bytes]:
    answers = await asyncio.gather(*(reader.read() for reader, _ in connections))
    for _, writer in connections:
        writer.close()
    return {answer[:12] for answer in answers}


def environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.parametrize("workers", [0, 2])
async def test_who_waited_before_the_node_was_there_is_served(
    tmp_path: Path, listening: socket.socket, workers: int
) -> None:
    async with Backend() as backend:
        node = activated(tmp_path, backend, {"public": listening}, workers=workers)
        waiting = await asked(node.port, 40)
        async with node:
            await node.start()
            assert await statuses(waiting) == {b"HTTP/1.1 200"}
            assert len(backend.requests()) == 40
            assert await node.stop() == 0


async def test_a_socket_without_a_name_is_known_by_its_address_and_admin_may_have_one_too(
    tmp_path: Path, listening: socket.socket
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as admin:
        sockets = {"tidegate.socket": listening, "admin": admin}
        async with Backend() as backend, activated(tmp_path, backend, sockets) as node:
            await node.start()
            assert (await node.get("/x")).status == 200
            assert (await node.ask("/readyz")).status == 200


async def test_children_hear_nothing_of_it(tmp_path: Path, listening: socket.socket) -> None:
    async with Backend() as backend, activated(tmp_path, backend, {"public": listening}) as node:
        await node.start()
        assert node.supervisor is not None
        children = node.alive() - {node.supervisor.pid}
        assert len(children) == 3
        for pid in children:
            assert b"LISTEN_" not in environment(pid)


async def test_a_restart_of_the_service_loses_nobody(tmp_path: Path, listening: socket.socket) -> None:
    async with Backend() as backend, activated(tmp_path, backend, {"public": listening}) as node:
        await node.start()
        async with Traffic(node.url, clients=4, patience_s=READY_WITHIN_S) as traffic:
            await traffic.more(40)
            assert await node.stop() == 0
            # Nobody accepts now, and nobody is refused.
            waiting = await asked(node.port, 40)
            node.launch()
            await node.ready()
            assert await statuses(waiting) == {b"HTTP/1.1 200"}
            await traffic.more(40)
        assert traffic.failures == []
        assert set(traffic.statuses) == {200}, traffic.refused


async def test_a_worker_and_the_supervisor_may_die_as_ever(tmp_path: Path, listening: socket.socket) -> None:
    async with Backend() as backend, activated(tmp_path, backend, {"public": listening}) as node:
        await node.start()
        assert node.supervisor is not None
        victims = [await node.pid("worker", slot) for slot in range(2)]
        for victim in victims:
            os.kill(victim, signal.SIGSTOP)
        waiting = await asked(node.port, 40)
        os.kill(victims[0], signal.SIGKILL)
        os.kill(victims[1], signal.SIGCONT)
        assert await statuses(waiting) == {b"HTTP/1.1 200"}
        await node.ready()
        orphans = node.alive() - {node.supervisor.pid}
        async with Traffic(node.url, clients=4) as traffic:
            await traffic.more(20)
            node.supervisor.kill()
            await node.gone(node.supervisor.pid)
            node.launch()
            await node.ready()
            for orphan in orphans:
                await node.gone(orphan)
            await traffic.more(20)
        assert traffic.failures == []
        assert set(traffic.statuses) == {200}, traffic.refused


async def test_a_socket_that_fits_no_listener_is_a_start_error(tmp_path: Path, listening: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        async with Backend() as backend:
            node = activated(tmp_path, backend, {"public": listening})
            numbers = f"{listening.fileno()},{stranger.fileno()}"
            node.inherit = [listening.fileno(), stranger.fileno()]
            node.program = [*node.program[:3], numbers, "public:web.socket", *node.program[5:]]
            async with node:
                node.write()
                node.launch()
                assert await node.ended() == 1
                [line] = node.log("cannot start")
                host, port = stranger.getsockname()
                assert line["reason"].startswith(
                    f'descriptor 4 ("web.socket", {host}:{port}) was passed by the service manager and fits no listener'
                )
                assert f'"public" (127.0.0.1:{node.port})' in line["reason"]
                assert node.alive() == set()
