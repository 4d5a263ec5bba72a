"""Three real nodes whose state is in Redis or PostgreSQL, without peers: what they say of themselves goes that way."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.harness.mesh_of_nodes import Mesh, ask, told
from tests.harness.node import Traffic
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


async def test_a_store_that_is_lost_stops_decisions_and_no_request_and_is_taken_up_again(
    mesh: Mesh, servers: Servers
) -> None:
    eu, us, asia = nodes = list(mesh.nodes.values())
    assert (await ask(eu, "POST", "/v1/regions/asia/drain", {"reason": "patching"})).status == 202

    async def drained() -> list[bool]:
        return [(await told(node, "/v1/regions/asia/drain")).get("state") == "drained" for node in nodes]

    async def is_drained_everywhere() -> bool:
        return all(await drained())

    async def is_frozen() -> bool:
        found = [await told(node, "/v1/nodes") for node in nodes]
        return all(one.get("state") not in (None, "ok") and one["epoch"] is None for one in found)

    await eu.until(is_drained_everywhere, "asia is drained on all nodes", within_s=30)
    epoch = max([(await told(node, "/v1/nodes"))["epoch"] or 0 for node in nodes])
    mesh.backends["asia"].asked.clear()
    async with Traffic(eu.url, clients=2) as before, Traffic(asia.url, clients=2) as elsewhere:
        for server in servers:
            server.kill()
        await eu.until(is_frozen, "nobody leads, and all say that decisions are frozen", within_s=60)
        assert (await told(eu, "/v1/nodes"))["unreached"], "where the nodes' own words do not get through is said"
        refused = await ask(us, "POST", "/v1/regions/us/drain", {"reason": "patching"})
        assert (refused.status, refused.json()["reason"]) == (503, "state_unavailable")
        assert all(await drained()), "what was decided stays in force"
        await before.more(20, within_s=30)
        await elsewhere.more(20, within_s=30)
        for server in servers:
            server.start()

        async def is_taken_up() -> bool:
            found = [await told(node, "/v1/nodes") for node in nodes]
            led = [one["epoch"] for one in found if one.get("epoch") is not None]
            well = [one.get("state") == "ok" and len(one["nodes"]) == 3 and not one["unreached"] for one in found]
            return all(well) and len(led) == 1

        await eu.until(is_taken_up, "one leads, and all hear all", within_s=60)
        await before.more(20, within_s=30)
        await elsewhere.more(20, within_s=30)
    for traffic in (before, elsewhere):
        assert (traffic.failures, traffic.refused) == ([], [])
    assert mesh.backends["asia"].requests() == []
    assert max([(await told(node, "/v1/nodes"))["epoch"] or 0 for node in nodes]) > epoch
    assert (await told(us, "/v1/regions/us/drain")).get("state") != "drained", "what was refused has not happened"

    assert (await ask(asia, "DELETE", "/v1/regions/asia/drain?over=0s")).status == 202

    async def is_back_everywhere() -> bool:
        return not any(await drained())

    await eu.until(is_back_everywhere, "all know of what was decided afterwards", within_s=30)
