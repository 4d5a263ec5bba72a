"""A pull goes over a kept line; beside it, and where there is none, by a request of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from health.peering import lines
from health.peering.identity import Peer
from health.peering.lines import LineRefused
from health.peering.server import PeerServer, problem
from sync.replication.link import OwnAddress, PeerRefused, PeerUnavailable
from tests.harness.peering import SECRET, asking, identity, serve_peers
from tidegate.node.links import LINE, PULL, PeerLink
from tidegate.node.wall import wall

PATIENCE_S = 30.0


class FarSide:
    """A listener that answers pulls itself, each with how it came."""

    def __init__(self, *, gives_lines: bool = True) -> None:
        self.gives_lines = gives_lines
        self.lines = 0
        self.is_held = asyncio.Event()
        """Set as soon as the question `hold` is there, which is answered only once `go_on` is set."""
        self.go_on = asyncio.Event()

    async def answer(self, question: bytes) -> bytes:
        if question == b"bad":
            raise LineRefused(403, "peer_refused", "not this")
        if question == b"hold":
            self.is_held.set()
            await self.go_on.wait()
        return b"line: " + question

    async def line(self, request: web.Request, peer: Peer) -> web.StreamResponse:
        if not self.gives_lines:
            return problem(404, "no_such_path", "an older version")
        self.lines += 1
        # What the listener of a node adds on the way to the process behind it.
        proven = request.clone(headers={**request.headers, "Tidegate-Peer-Node": peer.node})
        return await lines.serve(
            proven, self.answer, identity=identity(), signer=SECRET, max_question=1 << 20, clock=time.monotonic
        )

    async def pull(self, request: web.Request, _: Peer) -> web.Response:
        return web.Response(body=b"request: " + await request.read())


@asynccontextmanager
async def linked(far: FarSide, *, region: str = "eu", own_node: str = "gw-2") -> AsyncIterator[PeerLink]:
    server = PeerServer(identity(), signer=SECRET, hosts={}, wall=wall, clock=time.monotonic)
    server.mount(LINE, far.line)
    server.mount(PULL, far.pull)
    runner = await serve_peers(server, host="127.0.0.1", port=0, tls=None)
    try:
        async with asking(identity("gw-2", "us")) as client:
            yield PeerLink(client, f"http://127.0.0.1:{runner.addresses[0][1]}", region, own_node=own_node)
    finally:
        await runner.cleanup()


async def ask(link: PeerLink, question: bytes, *, timeout_s: float = PATIENCE_S) -> bytes:
    return await link.ask(question, timeout_s=timeout_s)


async def test_pulls_share_one_line() -> None:
    far = FarSide()
    async with linked(far) as link:
        assert [await ask(link, b"a"), await ask(link, b"b")] == [b"line: a", b"line: b"]
        with pytest.raises(PeerRefused, match="peer_refused: not this"):
            await ask(link, b"bad")
        assert await ask(link, b"c") == b"line: c"
        assert far.lines == 1


async def test_what_is_asked_beside_a_pull_does_not_wait_for_it() -> None:
    far = FarSide()
    async with linked(far) as link, asyncio.TaskGroup() as group:
        held = group.create_task(ask(link, b"hold"))
        await far.is_held.wait()
        assert await ask(link, b"beside") == b"request: beside"
        far.go_on.set()
        assert await held == b"line: hold"


async def test_a_peer_that_gives_no_line_is_asked_by_requests() -> None:
    far = FarSide(gives_lines=False)
    async with linked(far) as link:
        assert [await ask(link, b"a"), await ask(link, b"b")] == [b"request: a", b"request: b"]


async def test_after_an_answer_that_did_not_come_there_is_a_new_line() -> None:
    far = FarSide()
    async with linked(far) as link:
        assert await ask(link, b"a") == b"line: a"
        with pytest.raises(PeerUnavailable, match=r"no answer in 0\.05 s"):
            await ask(link, b"hold", timeout_s=0.05)
        assert await ask(link, b"b") == b"line: b"
        assert far.lines == 2


async def test_who_answers_over_a_line_is_looked_at_as_over_a_request() -> None:
    async with linked(FarSide(), region="us") as link:
        with pytest.raises(PeerRefused, match="stands in eu, expected us"):
            await ask(link, b"a")
    async with linked(FarSide(), own_node=identity().node) as link:
        for _ in range(2):
            with pytest.raises(OwnAddress):
                await ask(link, b"a")
        assert link.is_this_node
