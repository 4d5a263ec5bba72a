"""A node as processes: what goes on when each of them is killed, stopped or started twice."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.harness.node import Answer, Backend, Node, Traffic


async def test_a_node_starts_serves_and_ends_with_exit_code_0(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        answer = await node.get("/hello")
        assert (answer.status, answer.body) == (200, b"backend /hello\n")
        assert [asked.path for asked in backend.requests()] == ["/hello"]
        assert await node.stop() == 0
        assert node.alive() == set()
        assert not list(node.data_dir.glob("*.sock"))


@pytest.mark.parametrize("workers", [1, 2])
async def test_connections_that_wait_in_a_dead_workers_queue_are_served(tmp_path: Path, workers: int) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address, workers=workers) as node:
        await node.start()
        victims = [await node.pid("worker", slot) for slot in range(workers)]
        for victim in victims:
            os.kill(victim, signal.SIGSTOP)
        # Nobody accepts now: these connections, and what they ask, wait in the kernel, on every slot's queue.
        waiting = [asyncio.open_connection("127.0.0.1", node.port) for _ in range(40)]
        connections = await asyncio.gather(*waiting)
        for number, (_, writer) in enumerate(connections):
            writer.write(f"GET /queued/{number} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        assert backend.requests() == []
        os.kill(victims[0], signal.SIGKILL)
        for victim in victims[1:]:
            os.kill(victim, signal.SIGCONT)
        answers = await asyncio.gather(*(reader.read() for reader, _ in connections))
        assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200"] * 40
        for _, writer in connections:
            writer.close()


async def test_killing_a_worker_under_load_costs_only_what_it_held(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        victim = await node.pid("worker", 0)
        async with Traffic(node.url, clients=8) as traffic:
            await traffic.more(50)
            os.kill(victim, signal.SIGKILL)
            await traffic.more(100)
            await node.ready()
            await traffic.more(50)
        assert set(traffic.statuses) == {200}, traffic.refused
        assert len(traffic.failures) <= 8, "each client has one request at a time, so no more can have been held"
        assert await node.pid("worker", 0) != victim
        assert await node.metric('tidegate_worker_restarts_total{role="worker",slot="0"}') == 1


async def test_killing_control_stops_no_traffic_and_its_replacement_knows_what_was_known(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        await node.until(
            lambda: b'"up"' in (node.data_dir / "verdicts.json").read_bytes(), "the verdict is on the disk"
        )
        before, victim = await node.status(), await node.pid("control")
        async with Traffic(node.url, clients=4) as traffic:
            await traffic.more(20)
            os.kill(victim, signal.SIGKILL)
            await traffic.more(50)
            await node.ready()
            await traffic.more(20)
        assert traffic.failures == []
        assert set(traffic.statuses) == {200}, traffic.refused
        after = await node.status()
        assert await node.pid("control") != victim
        assert after["version"] > before["version"]
        assert [one["since"] for one in after["endpoints"]] == [one["since"] for one in before["endpoints"]]
        # Probing goes on: a backend that dies now is found down.
        await backend.stop()

        async def is_down() -> bool:
            return bool((await node.status())["endpoints"][0]["health"] == "down")

        await node.until(is_down, "the endpoint is found down")


async def test_killing_the_supervisor_stops_no_traffic_and_the_next_serve_takes_over(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        assert node.supervisor is not None
        orphans = node.alive() - {node.supervisor.pid}
        async with Traffic(node.url, clients=4) as traffic:
            await traffic.more(20)
            node.supervisor.kill()
            await node.gone(node.supervisor.pid)
            await traffic.more(50)
            assert (await node.status())["degraded"], "that nothing restarts them is said"
            node.launch()
            await node.ready()
            for orphan in orphans:
                await node.gone(orphan)
            await traffic.more(50)
        assert traffic.failures == []
        assert set(traffic.statuses) == {200}, traffic.refused
        assert len(node.log("the supervisor is gone")) == 3
        assert await node.stop() == 0
        assert node.alive() == set()


async def test_a_second_supervisor_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        first = node.supervisor
        node.launch()
        assert await node.ended() == 1
        assert f"belongs to a node that is running (pid {first.pid if first else 0})" in node.errors()
        assert (await node.get("/still")).status == 200


async def test_a_port_in_use_is_named_with_its_listener_and_what_to_do(tmp_path: Path) -> None:
    async with Node(tmp_path, "127.0.0.1:9") as node:
        node.write()
        with socket.create_server(("127.0.0.1", node.port), reuse_port=True):
            node.launch()
            assert await node.ended() == 1
        [line] = node.log("cannot start")
        assert line["reason"].startswith(f'listener "public" cannot listen on 127.0.0.1:{node.port}: port {node.port}')
        assert "change listeners[0].bind" in line["reason"]
        assert node.alive() == set()


async def test_sigterm_finishes_the_request_in_flight_and_takes_no_new_one(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        assert node.supervisor is not None
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(node.get("/hold"), name="slow")
            await node.until(lambda: backend.holding == 1, "the request is in flight")
            node.supervisor.terminate()
            await node.until(lambda: refuses(node.port), "no new connection is taken")
            assert (await node.ask("/readyz")).status == 503
            assert not slow.done()
            backend.release.set()
            assert await node.ended() == 0
        answer: Answer = slow.result()
        assert answer.status == 200
        assert node.alive() == set()


async def test_connections_that_wait_when_the_stop_comes_are_served(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        assert node.supervisor is not None
        workers = [await node.pid("worker", slot) for slot in range(2)]
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        connections = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", node.port) for _ in range(40)))
        for _, writer in connections:
            writer.write(b"GET /queued HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        node.supervisor.terminate()
        await node.until(lambda: bool(node.log("stopping: draining")), "the stop has come")
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
        answers = await asyncio.gather(*(reader.read() for reader, _ in connections))
        assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200"] * 40
        for _, writer in connections:
            writer.close()
        assert await node.ended() == 0


async def test_a_request_that_outlasts_the_grace_is_cut_off(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        node.config["node"]["shutdown_grace"] = "300ms"
        await node.start()
        _, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        await node.until(lambda: backend.holding == 1, "the request is in flight")
        assert await node.stop(within_s=5.0) == 0
        assert sum(line["requests_cut_off"] for line in node.log("drained")) == 1
        writer.close()


async def test_a_second_sigterm_stops_at_once(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        assert node.supervisor is not None
        _, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        await node.until(lambda: backend.holding == 1, "the request is in flight")
        node.supervisor.terminate()
        await node.until(lambda: bool(node.log("stopping: draining")), "the first signal is heeded")
        assert await node.stop(within_s=3.0) == 1
        assert node.alive() == set()
        writer.close()


async def test_a_child_that_dies_at_every_start_is_started_ever_later(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        for kill in range(3):
            victim = await node.pid("worker", 1)
            os.kill(victim, signal.SIGKILL)

            async def is_replaced(victim: int = victim) -> bool:
                children = (await node.status())["processes"]["children"]
                return any(one["slot"] == 1 and one["ready"] and one["pid"] != victim for one in children)

            await node.until(is_replaced, f"replacement {kill}")
        delays = [line["restart_in_s"] for line in node.log("worker died")]
        assert delays == pytest.approx([0.0, 0.25, 0.5], abs=0.01)


IMPATIENT = """
import os, sys
from pathlib import Path
from config.loader import load_file
from tidegate.node.logs import setup
from tidegate.node.startup import make_plan
from tidegate.node.supervisor import Supervisor
plan = make_plan(load_file(Path(sys.argv[-1]), environ=os.environ))
sys.exit(Supervisor(plan, environ=os.environ, log=setup("supervisor", node=plan.node_id), silence_s=4.0).run())
"""
"""`serve` with a supervisor that takes four seconds of silence for a hang, not twenty."""


@pytest.mark.parametrize("role", ["worker", "control"])
async def test_a_child_that_hangs_without_dying_is_killed_and_replaced(tmp_path: Path, role: str) -> None:
    async with (
        Backend() as backend,
        Node(tmp_path, backend.address, program=(sys.executable, "-c", IMPATIENT)) as node,
    ):
        await node.start()
        victim = await node.pid(role)
        os.kill(victim, signal.SIGSTOP)
        # Half of these come to the queue of a worker that hangs.
        connections = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", node.port) for _ in range(40)))
        for _, writer in connections:
            writer.write(b"GET /queued HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answers = await asyncio.gather(*(reader.read() for reader, _ in connections))
        assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200"] * 40
        for _, writer in connections:
            writer.close()
        await node.gone(victim)
        await node.ready()
        assert await node.pid(role) != victim
        assert [line["silent_pid"] for line in node.log("says nothing any more: killing it")] == [victim]
        assert [line["how"] for line in node.log("died")] == ["signal SIGKILL"]


async def test_a_machine_that_was_suspended_finds_nobody_hanging(tmp_path: Path) -> None:
    async with (
        Backend() as backend,
        Node(tmp_path, backend.address, program=(sys.executable, "-c", IMPATIENT)) as node,
    ):
        await node.start()
        everybody = node.alive()
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        loop = asyncio.get_running_loop()
        until = loop.time() + 6.0
        await node.until(lambda: loop.time() > until, "longer than a hang takes")
        # The supervisor wakes first, and hears nobody yet.
        assert node.supervisor is not None
        os.kill(node.supervisor.pid, signal.SIGCONT)
        until = loop.time() + 1.0
        await node.until(lambda: loop.time() > until, "it has looked")
        for pid in everybody:
            os.kill(pid, signal.SIGCONT)
        await node.ready()
        assert (await node.get("/x")).status == 200
        assert node.alive() == everybody
        assert node.log("says nothing any more") == []


async def test_limits_that_no_process_could_carry_are_a_start_error(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard >= 1_000_000:
        pytest.skip("this machine carries more than the configuration may ask for")
    async with Node(tmp_path, "127.0.0.1:9", workers=1) as node:
        node.config["listeners"][0]["limits"]["max_connections"] = 1_000_000
        node.write()
        node.launch()
        assert await node.ended() == 1
        [line] = node.log("cannot start")
        assert f"may open {hard} files" in line["reason"]
        assert "LimitNOFILE=" in line["reason"]


async def test_systemd_is_told_when_the_node_serves_reloads_and_stops(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "n"))
        notified.settimeout(20.0)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "n")}

        async def told() -> str:
            return (await asyncio.to_thread(notified.recv, 1000)).decode().partition("\n")[0]

        async with Backend() as backend, Node(tmp_path, backend.address, environ=environ) as node:
            await node.start()
            assert node.supervisor is not None
            assert await told() == "READY=1"
            node.supervisor.send_signal(signal.SIGHUP)
            assert await told() == "RELOADING=1"
            assert await told() == "READY=1"
            assert await node.stop() == 0
            assert await told() == "STOPPING=1"


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return True
    return False
