"""A node whose state is kept in a real Redis or PostgreSQL: it leads, and what is agreed outlives it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.node import Backend, Node, ports
from tests.harness.postgres import PostgresServer
from tests.harness.redis import RedisServer


@pytest.fixture(params=["redis", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    if request.param == "redis":
        redis = RedisServer(tmp_path / "redis", durable=True)
        yield {"kind": "redis", "urls": [redis.url]}, {}
        redis.kill()
    else:
        postgres = PostgresServer()
        yield {"kind": "postgres", "dsn": "env:STATE_DSN"}, {"STATE_DSN": postgres.dsn}
        postgres.close()


async def test_a_node_leads_and_a_later_run_of_it_in_a_newer_epoch(
    tmp_path: Path, store: tuple[dict[str, Any], dict[str, str]]
) -> None:
    options, environ = store
    async with Backend() as backend, Node(tmp_path, backend.address, workers=0, environ=environ) as node:
        node.config["stores"] = {"state": options}
        node.config["election"] = {"lease": "2s", "renew": "500ms"}
        node.write()
        epochs: list[int] = []
        for _ in range(2):
            node.launch()

            async def leads() -> bool:
                try:
                    told = (await node.ask("/v1/nodes")).json()
                except (OSError, TimeoutError):
                    return False
                if told["epoch"] is None or told["leader"] != "gw1" or told["state"] != "ok":
                    return False
                epochs.append(told["epoch"])
                return True

            await node.until(leads, "the node leads", within_s=25)
            assert await node.stop() == 0
        assert epochs[1] > epochs[0]


async def test_two_redis_servers_and_a_node_bear_the_lease_together_and_any_two_of_them_are_enough(
    tmp_path: Path,
) -> None:
    (port,) = ports(1)
    url = f"http://127.0.0.1:{port}"
    environ = {"KEY": "key", "SECRET": "secret"}
    state, one, other = (RedisServer(tmp_path / name, durable=True) for name in ("state", "one", "other"))
    try:
        async with Backend() as backend, Node(tmp_path, backend.address, workers=0, environ=environ) as node:
            node.config["peer"] = {"bind": f"127.0.0.1:{port}", "secret": "env:SECRET"}
            node.config["secrets"] = {"signing_keys": ["env:KEY"]}
            node.config["regions"][0]["peers"] = [url]
            node.config["stores"] = {"state": {"kind": "redis", "urls": [state.url]}}
            acceptors = [{"url": place} for place in (one.url, other.url, url)]
            node.config["election"] = {"lease": "2s", "renew": "500ms", "acceptors": acceptors}
            node.write()
            node.launch()

            async def epoch() -> Any:
                try:
                    return (await node.ask("/v1/nodes")).json()["epoch"]
                except (OSError, TimeoutError):
                    return None

            async def leads() -> bool:
                return await epoch() is not None

            async def does_not_lead() -> bool:
                return await epoch() is None

            await node.until(leads, "the node leads", within_s=40)
            one.kill()
            other.kill()
            await node.until(does_not_lead, "with the node's own acceptor alone nobody leads", within_s=60)
            other.start()
            await node.until(leads, "one Redis server and the node are a majority", within_s=30)
    finally:
        for server in (state, one, other):
            server.kill()
