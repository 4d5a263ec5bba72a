"""A running node's configuration: reloads, bad files, and what a restart begins with."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from tests.harness.node import Backend, Node, Traffic


async def test_sighup_puts_a_good_file_in_force_without_a_failed_request(tmp_path: Path) -> None:
    async with Backend("one") as one, Backend("two") as two, Node(tmp_path, one.address) as node:
        await node.start()
        assert node.supervisor is not None
        node.config["services"].append({"id": "new", "endpoints": [{"region": "eu", "address": two.address}]})
        node.config["routes"].insert(0, {"id": "new", "match": {"path": "/new/*"}, "service": "new"})
        async with Traffic(node.url, clients=4) as traffic:
            await traffic.more(20)
            node.write()
            node.supervisor.send_signal(signal.SIGHUP)

            async def is_in_force() -> bool:
                return (await node.get("/new/x")).body == b"two /new/x\n"

            await node.until(is_in_force, "the new route is in force")
            await traffic.more(20)
        assert traffic.failures == []
        assert set(traffic.statuses) == {200}, traffic.refused
        assert await node.metric("tidegate_config_last_reload_success") == 1


async def test_a_bad_file_leaves_the_old_configuration_in_force_and_everybody_hears_so(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        assert node.supervisor is not None
        digest = (await node.status())["config"]["digest"]
        node.config["routes"][0]["service"] = "nothing"
        node.config["services"][0]["colour"] = "blue"
        node.write()
        node.supervisor.send_signal(signal.SIGHUP)

        async def is_refused() -> bool:
            last = (await node.status())["config"]["last_reload"]
            return last is not None and not last["ok"]

        await node.until(is_refused, "the reload is refused")
        status = await node.status()
        problems = "\n".join(status["config"]["last_reload"]["problems"])
        assert "services[0].colour" in problems
        assert "routes[0].service" in problems
        assert status["config"]["digest"] == digest
        assert await node.metric("tidegate_config_last_reload_success") == 0
        assert node.log("configuration refused, the old one stays")
        assert (await node.get("/still")).status == 200


async def test_a_changed_file_is_noticed_also_through_a_swapped_link(tmp_path: Path) -> None:
    async with Backend("one") as one, Backend("two") as two, Node(tmp_path, one.address) as node:
        # As Kubernetes mounts a ConfigMap: tidegate.yaml -> ..data/tidegate.yaml, ..data -> ..1
        node.write()
        (tmp_path / "..1").mkdir()
        node.file.rename(tmp_path / "..1" / "tidegate.yaml")
        (tmp_path / "..data").symlink_to("..1")
        node.file.symlink_to("..data/tidegate.yaml")
        await node.start()
        node.config["services"][0]["endpoints"] = [{"region": "eu", "address": two.address}]
        (tmp_path / "..2").mkdir()
        node.file.unlink()
        node.write()
        node.file.rename(tmp_path / "..2" / "tidegate.yaml")
        node.file.symlink_to("..data/tidegate.yaml")
        (tmp_path / "..fresh").symlink_to("..2")
        (tmp_path / "..fresh").rename(tmp_path / "..data")

        async def is_in_force() -> bool:
            return (await node.get("/x")).body == b"two /x\n"

        await node.until(is_in_force, "the new endpoint is in force")


async def test_a_reload_that_changes_nothing_changes_nothing_learnt(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        assert node.supervisor is not None

        async def is_up() -> bool:
            status = await node.status()
            return bool(status["endpoints"][0]["health"] == "up" and status["version"] == 2)

        await node.until(is_up, "the endpoint is up, and that is published")
        before = await node.status()
        node.write(node.file.read_text() + "\n")
        node.supervisor.send_signal(signal.SIGHUP)

        async def is_reloaded() -> bool:
            return (await node.status())["config"]["last_reload"] is not None

        await node.until(is_reloaded, "the file was read")
        after = await node.status()
        assert after["config"]["last_reload"]["ok"]
        assert not after["config"]["last_reload"]["changed"]
        assert after["version"] == before["version"]
        assert after["endpoints"][0]["since"] == before["endpoints"][0]["since"]


async def test_a_reload_that_would_need_a_restart_is_refused_as_a_whole(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        assert node.supervisor is not None
        digest = (await node.status())["config"]["digest"]
        node.config["node"]["shutdown_grace"] = "7s"
        node.config["listeners"][0]["bind"] = "127.0.0.1:1"
        node.config["routes"][0]["id"] = "renamed"
        node.write()
        node.supervisor.send_signal(signal.SIGHUP)
        await node.until(lambda: bool(node.log("configuration refused")), "the reload is refused")
        status = await node.status()
        assert status["config"]["last_reload"]["problems"] == [
            "node.shutdown_grace, listeners[0].bind cannot change while the node runs: "
            "nothing of this file is in force until a restart"
        ]
        assert status["config"]["digest"] == digest


async def test_limits_and_timeouts_of_a_listener_change_with_a_reload(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        assert node.supervisor is not None
        large = {"X-Large": "x" * 4000}
        assert (await node.get("/x", headers=large)).status == 200
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(b"GET /kept HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await reader.readuntil(b"/kept\n")).startswith(b"HTTP/1.1 200")
        workers = [await node.pid("worker", slot) for slot in range(2)]

        node.config["listeners"][0]["limits"]["max_header_bytes"] = "1KiB"
        node.config["listeners"][0]["timeouts"] = {"idle": "200ms"}
        node.write()
        node.supervisor.send_signal(signal.SIGHUP)

        async def is_in_force() -> bool:
            # Each worker takes it when it comes; a row of refusals means that both have.
            return all([(await node.get("/x", headers=large)).status == 431 for _ in range(12)])

        await node.until(is_in_force, "the new limit is in force")
        assert (await node.get("/x")).status == 200
        # The connection from before serves another request, and ends by the new timeout (75 s was the old one).
        writer.write(b"GET /again HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(5.0):
            assert (await reader.read()).endswith(b"/again\n")
        writer.close()
        assert [await node.pid("worker", slot) for slot in range(2)] == workers, "nothing was restarted for it"


async def test_a_node_whose_file_went_bad_starts_on_the_last_good_one_and_is_degraded(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        good = node.file.read_text()
        assert await node.stop() == 0
        node.write(good.replace('"version": 1', '"version": 1, "versoin": 2'))
        node.launch()

        async def serves() -> bool:
            try:
                return (await node.get("/x")).status == 200
            except OSError:
                return False

        await node.until(serves, "the node serves", within_s=60)
        assert "starting on the last good configuration, degraded" in node.errors()
        ready = await node.ask("/readyz?verbose")
        assert ready.status == 200
        assert b"[!]degraded the last good configuration is in force" in ready.body
        status = await node.status()
        assert status["config"]["source"] == "last_good"
        assert "versoin" in status["degraded"][0]
        assert await node.metric("tidegate_degraded") == 1
        assert await node.metric("tidegate_config_last_reload_success") == 0
        # And when the file is good again, so is the node, by itself.
        node.write(good)
        await node.ready()
        assert await node.metric("tidegate_degraded") == 0


async def test_a_first_start_with_a_bad_file_lists_every_mistake_and_starts_nothing(tmp_path: Path) -> None:
    async with Node(tmp_path, "127.0.0.1:9") as node:
        node.config["routes"][0]["service"] = "nothing"
        node.config["services"][0]["colour"] = "blue"
        node.write()
        node.launch()
        assert await node.ended() == 2
        assert "services[0].colour" in node.errors()
        assert "routes[0].service" in node.errors()
        assert "nothing was started" in node.errors()
        assert not node.data_dir.exists()


async def test_workers_that_start_while_control_is_away_serve_from_the_disk(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address, workers=1) as node:
        await node.start()
        os.kill(await node.pid("control"), signal.SIGSTOP)
        worker = next(line["ready_pid"] for line in node.log("worker is ready"))
        os.kill(worker, signal.SIGKILL)

        async def serves() -> bool:
            try:
                return (await node.get("/x", within_s=1.0)).status == 200
            except (OSError, TimeoutError):
                return False

        await node.until(serves, "the replacement serves", within_s=60)
        assert node.log("serving from the last good configuration on the disk")


async def test_a_request_that_no_route_matches_gets_a_problem_document(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        node.config["routes"][0]["match"] = {"path": "/only/*"}
        await node.start()
        answer = await node.get("/other")
        assert answer.status == 404
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Proxy-Status"].startswith("gw1; error=")
        assert answer.json()["status"] == 404
        assert backend.requests() == []


async def test_an_endpoint_that_dies_is_left_within_the_bound_and_the_503_says_why(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        node.config["services"][0]["health_check"]["timeout"] = "250ms"
        await node.start()
        await backend.stop()
        loop = asyncio.get_running_loop()
        died = loop.time()

        async def is_left() -> bool:
            return (await node.get("/x")).status == 503

        await node.until(is_left, "503")
        # unhealthy_threshold x interval x (1 + jitter) + timeout + 100 ms, and the machine's own slowness.
        assert loop.time() - died < 2 * 0.3 * 1.2 + 0.25 + 0.1 + 1.0
        answer = await node.get("/x")
        assert "Retry-After" in answer.headers
        await backend.start()

        async def is_back() -> bool:
            return (await node.get("/x")).status == 200

        await node.until(is_back, "the endpoint is back")
