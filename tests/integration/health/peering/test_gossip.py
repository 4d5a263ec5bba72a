"""Two nodes tell each other what they say of themselves."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import msgspec
import pytest

from health.peering.client import PeerClient
from health.peering.gossip import PATH, Gossip, Told
from health.peering.server import PeerServer
from health.state.soft import Saying, SoftBook
from tests.harness.node import ports
from tests.harness.peering import SECRET, identity, serve_peers
from tidegate.demo.waiting import until
from tidegate.node.wall import wall


@contextlib.asynccontextmanager
async def node(name: str, port: int, urls: list[str]) -> AsyncIterator[tuple[SoftBook, Gossip, list[str]]]:
    hints: list[str] = []
    book = SoftBook(f"{name}/1", clock=time.monotonic)
    client = PeerClient(identity(name), signer=SECRET, tls=None, wall=wall)
    gossip = Gossip(book, client, urls, node=name, revision=lambda: 7, hint=lambda: hints.append(name))
    server = PeerServer(identity(name), signer=SECRET, hosts={}, wall=wall, clock=time.monotonic)
    server.mount(PATH, gossip.answer)
    runner = await serve_peers(server, host="127.0.0.1", port=port, tls=None)
    try:
        yield book, gossip, hints
    finally:
        await client.close()
        await runner.cleanup()


async def test_nodes_hear_of_each_other_and_of_who_is_not_there() -> None:
    first, second, nobody = ports(3)
    urls = [f"http://127.0.0.1:{port}" for port in (first, second, nobody)]
    async with node("a", first, urls) as (mine, gossip, hints), node("b", second, urls) as (theirs, _, _):
        mine.announce("node", "a", {}, ttl_s=5)
        theirs.announce("node", "b", {}, ttl_s=5)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(gossip.run(), name="gossip")
            await until(
                lambda: len(mine.rows("node")) == len(theirs.rows("node")) == 2, within_s=5, what="both know both"
            )
            await until(lambda: len(gossip.reached) == 2, within_s=5, what="who answers is known")
            running.cancel()
        assert set(gossip.reached.values()) == {"a", "b"}
        assert list(gossip.unreached) == [urls[2]]
        assert hints == ["a"]  # b's revision, once; not its own


async def test_a_node_speaks_for_itself_only() -> None:
    first, second = ports(2)
    async with node("a", first, []) as (mine, _, _), node("b", second, []) as (_, told_by, _):
        client = told_by._client
        forged = Told([Saying("c/1", 1, "node", "c", {}, 5), Saying("b/1", 1, "node", "b", {}, 5)])

        await client.call(f"http://127.0.0.1:{first}", "POST", PATH, msgspec.json.encode(forged), timeout_s=5)
        assert [row.key for row in mine.rows("node")] == ["b"]
        with pytest.raises(Exception, match="not understood"):
            await client.call(f"http://127.0.0.1:{first}", "POST", PATH, b"{}", timeout_s=5)
