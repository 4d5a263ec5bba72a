"""A node whose state is kept in a real Redis or PostgreSQL: it leads, and what is agreed outlives it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.node import Backend, Node
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
