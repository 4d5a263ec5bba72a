"""Endpoints that are names, in a running node, with a real name server."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from tests.harness.name_server import NameServer
from tests.harness.node import Backend, Node, Traffic


def named(node: Node, server: NameServer, endpoint: dict[str, Any]) -> None:
    node.config["services"][0]["endpoints"] = [{"region": "eu", **endpoint}]
    node.config["discovery"] = {"resolvers": [server.address], "min_ttl": "200ms", "max_ttl": "400ms"}


async def serves(node: Node, body: bytes) -> None:
    async def does() -> bool:
        answer = await node.get("/x")
        return answer.status == 200 and answer.body == body

    await node.until(does, f"the node answers {body!r}")


async def test_traffic_follows_what_the_records_say_and_outlives_the_name_server(tmp_path: Path) -> None:
    async with NameServer() as server, Backend("one") as one, Backend("two") as two, Node(tmp_path, "") as node:
        name = ("_http._tcp.api.test.", "SRV")
        server.records = {name: [f"0 1 {one.port} one.test."], ("one.test.", "A"): ["127.0.0.1"]}
        named(node, server, {"dns_srv": "_http._tcp.api.test"})
        await node.start()
        await serves(node, b"one /x\n")
        async with Traffic(node.url, clients=4) as traffic:
            server.records[name] = [f"0 1 {two.port} one.test."]
            await serves(node, b"two /x\n")
            server.behaviour[name[0]] = "servfail"

            async def is_stale() -> bool:
                (known,) = (await node.status())["names"]
                return bool(known["standing"] == "stale" and known["servers"][0]["port"] == two.port)

            await node.until(is_stale, "the name is known to be stale")
            await traffic.more(20)
        assert traffic.failures == []
        assert set(traffic.statuses) == {200}, traffic.refused
        status = await node.status()
        assert [one["endpoint"] for one in status["endpoints"]] == [f"api/eu/127.0.0.1:{two.port}"]
        assert status["endpoints"][0]["health"] == "up"

        saved = node.data_dir / "verdicts.json"
        await node.until(lambda: f'"port":{two.port}' in saved.read_text(), "whom the name stands for is on the disk")
        os.kill(await node.pid("control"), signal.SIGKILL)
        os.kill(await node.pid("worker", 0), signal.SIGKILL)
        await node.ready()
        assert (await node.get("/x")).body == b"two /x\n"
        (known,) = (await node.status())["names"]
        assert (known["standing"], known["servers"][0]["port"]) == ("stale", two.port)


async def test_a_name_that_is_denied_again_and_again_stands_for_nobody(tmp_path: Path) -> None:
    async with NameServer() as server, Backend() as backend, Node(tmp_path, "") as node:
        server.records = {("api.test.", "A"): ["127.0.0.1"], ("api.test.", "AAAA"): []}
        named(node, server, {"dns": "api.test", "port": backend.port})
        await node.start()
        await serves(node, b"backend /x\n")
        server.behaviour["api.test."] = "nxdomain"

        async def is_empty() -> bool:
            answer = await node.get("/x")
            return answer.status == 503 and not (await node.status())["endpoints"]

        await node.until(is_empty, "nobody stands behind the name")
        assert [line["event"] for line in node.log("is doubted: no such name, said 1 of 3 times")]
