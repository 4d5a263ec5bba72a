"""Three real nodes whose state is in Redis or PostgreSQL, without peers: what they say of themselves goes that way."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.harness.mesh_of_nodes import Mesh, told
from tests.harness.postgres import PostgresServer
from tests.harness.redis import RedisServer

Servers = list[RedisServer | PostgresServer]


@pytest.fixture(params=["redis", "postgres"])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Servers]:
    """That keep the state together."""
    with ExitStack() as stack:
        made: Servers = []
        if request.param == "redis":
            made += [RedisServer(tmp_path / f"redis-{number}", durable=True) for number in range(3)]
        else:
            made.append(PostgresServer("fsync=off"))
        for server in made:
            stack.callback(server.kill if isinstance(server, RedisServer) else server.close)
        yield made


@pytest.fixture
async def mesh(tmp_path: Path, servers: Servers) -> AsyncIterator[Mesh]:
    """It runs."""

    def edit(config: dict[str, Any]) -> None:
        del config["peer"]
        for region in config["regions"]:
            del region["peers"]
        urls = [server.url for server in servers if isinstance(server, RedisServer)]
        shared = {"kind": "redis", "urls": urls} if urls else {"kind": "postgres", "dsn": "env:STATE_DSN"}
        config["stores"] = {"state": shared}

    (dsn,) = [server.dsn for server in servers if isinstance(server, PostgresServer)] or [""]
    async with Mesh(tmp_path, edit=edit, environ={"STATE_DSN": dsn}) as made:
        await made.start()
        yield made


def lasts_for_s(ballot: dict[str, Any], voter: str) -> int:
    """For how long a region is down already, as one voter saw it; 0 while it does not say so."""
    said = [one["evidence"] for one in ballot["votes"] if one["voter"] == voter and one["says"] == "down"]
    found = re.search(r"for (\d+) s$", said[0]) if said else None
    return int(found[1]) if found else 0


async def test_votes_travel_through_the_store_and_a_leader_that_hears_no_other_region_promotes_nobody(
    mesh: Mesh,
) -> None:
    us = mesh.nodes["us"]
    await mesh.stop("asia")
    await mesh.kill("eu")

    alone_since: list[int] = []

    async def has_been_alone() -> bool:
        """For several looks of the leader that could promote."""
        nodes, failover = await told(us, "/v1/nodes"), await told(us, "/v1/failover")
        if not failover:
            return False
        for_s = lasts_for_s(failover["votes"]["eu"], "us")
        if nodes.get("epoch") is not None and for_s and "asia silent" in failover["votes"]["eu"]["sentence"]:
            alone_since.append(for_s)
        return bool(alone_since) and for_s >= alone_since[0] + 3

    await us.until(has_been_alone, "us leads, hears nobody, and says for long that eu is down", within_s=60)
    found = await told(us, "/v1/failover")
    assert found["primary"] == "eu"
    assert not found["votes"]["eu"]["is_down"]
    assert "1 of 2 needed votes" in found["votes"]["eu"]["sentence"]

    mesh.nodes["asia"].launch()

    async def has_moved() -> bool:
        return bool((await told(us, "/v1/failover")).get("primary") == "us")

    await us.until(has_moved, "with the vote of asia us leads instead of eu", within_s=60)
    votes = (await told(us, "/v1/failover"))["votes"]["eu"]["votes"]
    assert {one["voter"] for one in votes if one["says"] == "down"} == {"us", "asia"}
