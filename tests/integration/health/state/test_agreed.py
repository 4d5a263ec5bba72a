"""The state of a mesh over real Redis servers, a real PostgreSQL, and the nodes' acceptors over the peer channel."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from health.quorum.acceptors import Acceptor, PeerAcceptor, StoredAcceptor
from health.quorum.postgres import PostgresCells
from health.quorum.redis import RedisCells
from tests.harness.agreed import CONTRACT, Member, met
from tests.harness.peer_acceptors import listening_peers
from tests.harness.postgres import PostgresServer
from tests.harness.redis import RedisServer

Make = Callable[[int], Mapping[str, Acceptor]]
"""The acceptors as the node of that number reaches them."""


@pytest.fixture(scope="module")
def redis_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RedisServer]]:
    folder = tmp_path_factory.mktemp("redis")
    made = [RedisServer(folder / str(number), durable=number > 0) for number in range(3)]
    yield made
    for server in made:
        server.kill()


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    made = PostgresServer("fsync=off")
    yield made
    made.close()


@pytest.fixture(params=["redis", "postgres", "peers"])
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Make]:
    cluster = request.node.name
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "redis":
            servers: list[RedisServer] = request.getfixturevalue("redis_servers")
            yield lambda _: {one.url: StoredAcceptor(RedisCells(one.url, cluster=cluster)) for one in servers}
        elif request.param == "postgres":
            server: PostgresServer = request.getfixturevalue("postgres")
            yield lambda _: {"postgres": StoredAcceptor(PostgresCells(server.dsn, cluster=cluster))}
        else:
            peers = await stack.enter_async_context(listening_peers(tmp_path))
            yield lambda number: {url: PeerAcceptor(peers[number].client, url) for url in peers[number].urls}


@pytest.mark.parametrize("name", CONTRACT)
async def test_the_contract_is_kept(make: Make, tmp_path: Path, name: str) -> None:
    reached = [make(number) for number in range(2)]
    one, other = (Member(f"n{number}", acceptors, folder=tmp_path) for number, acceptors in enumerate(reached))
    await met(one, other)
    await CONTRACT[name](one, other)
    for member in (one, other):
        await member.store.close()
    for acceptors in reached:
        for acceptor in acceptors.values():
            await acceptor.close()
