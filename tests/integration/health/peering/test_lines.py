"""Lines through a real listener and a real Unix socket: kept, proven, refused, broken, and too old."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from config.core.signing import Signer
from health.peering import lines
from health.peering.client import MAX_CONNECTIONS_PER_PEER, PeerClient, PeerUnreachable
from health.peering.forward import SyncForward
from health.peering.identity import Identity, Peer
from health.peering.lines import EXTRA_LIFE_S, LIFE_S, Line, LineBroken, LineRefused
from health.peering.server import PeerServer
from tests.harness.peering import SECRET, asking, echo, identity, serve_peers
from tidegate.node.wall import wall

LINE = "/peer/v1/sync/line"
MAX_QUESTION = 1 << 20
PATIENCE_S = 30.0


@dataclass
class Behind:
    """What is behind the listener: answers each question with itself, unless told otherwise."""

    answer: Callable[[bytes], Awaitable[bytes]]
    served: list[str] = field(default_factory=list)
    """Nodes that lines were opened by."""
    at: float = 0.0
    who: Identity = field(default_factory=identity)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.served.append(request.headers["Tidegate-Peer-Node"])
        return await lines.serve(
            request,
            self.answer,
            identity=self.who,
            signer=SECRET,
            max_question=MAX_QUESTION,
            clock=lambda: time.monotonic() + self.at,
        )


async def itself(question: bytes) -> bytes:
    return question


@asynccontextmanager
async def listening(folder: Path, behind: Behind | None) -> AsyncIterator[str]:
    """The listener's address."""
    path = folder / "sync.sock"
    server = PeerServer(identity(), signer=SECRET, hosts={}, wall=wall, clock=time.monotonic)
    forward = SyncForward(path, streams_bodies=False)
    server.mount("/peer/v1/sync/", forward)
    runner = await serve_peers(server, host="127.0.0.1", port=0, tls=None)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(forward.close)
        if behind is not None:
            below = web.ServerRunner(web.Server(behind.handle), shutdown_timeout=1.0)
            await below.setup()
            stack.push_async_callback(below.cleanup)
            await web.UnixSite(below, str(path)).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"


async def opened(client: PeerClient, url: str) -> Line:
    line = await client.open_line(url, LINE, timeout_s=PATIENCE_S, now=time.monotonic())
    assert line is not None
    return line


async def test_one_line_carries_many_questions_and_says_who_answers(tmp_path: Path) -> None:
    behind = Behind(itself)
    async with listening(tmp_path, behind) as url, asking(identity("gw-2", "us")) as client:
        line = await opened(client, url)
        assert (line.peer.node, line.peer.region) == (identity().node, identity().region)
        for size in (0, 1, 100_000, MAX_QUESTION):
            assert await line.ask(b"q" * size, timeout_s=PATIENCE_S) == b"q" * size
        assert behind.served == ["gw-2"]
        await line.close()


async def test_a_refusal_says_why_and_the_line_goes_on(tmp_path: Path) -> None:
    async def choosy(question: bytes) -> bytes:
        if question == b"bad":
            raise LineRefused(403, "peer_refused", "not this")
        return question

    async with listening(tmp_path, Behind(choosy)) as url, asking(identity("gw-2", "us")) as client:
        line = await opened(client, url)
        with pytest.raises(LineRefused, match="not this") as refused:
            await line.ask(b"bad", timeout_s=PATIENCE_S)
        assert (refused.value.status, refused.value.reason) == (403, "peer_refused")
        assert await line.ask(b"good", timeout_s=PATIENCE_S) == b"good"
        await line.close()


async def test_who_misses_an_answer_does_not_take_the_next_one_for_it(tmp_path: Path) -> None:
    async def never(question: bytes) -> bytes:
        await asyncio.Event().wait()
        return question

    async with listening(tmp_path, Behind(never)) as url, asking(identity("gw-2", "us")) as client:
        line = await opened(client, url)
        with pytest.raises(TimeoutError):
            await line.ask(b"q", timeout_s=0.05)
        assert not line.may_be_used(time.monotonic())
        await line.close()


@pytest.mark.parametrize("signer", [None, Signer((b"another",))])
async def test_a_stranger_gets_no_line_and_nothing_behind_hears_of_it(tmp_path: Path, signer: Signer | None) -> None:
    behind = Behind(itself)
    async with listening(tmp_path, behind) as url, asking(identity("gw-2", "us"), signer=signer) as client:
        assert await client.open_line(url, LINE, timeout_s=PATIENCE_S, now=0.0) is None
        assert behind.served == []


async def test_without_a_process_behind_there_is_no_line(tmp_path: Path) -> None:
    async with listening(tmp_path, None) as url, asking(identity("gw-2", "us")) as client:
        assert await client.open_line(url, LINE, timeout_s=PATIENCE_S, now=0.0) is None


async def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    async with listening(tmp_path, None) as url:
        pass
    async with asking(identity("gw-2", "us")) as client:
        with pytest.raises(PeerUnreachable):
            await client.open_line(url, LINE, timeout_s=PATIENCE_S, now=0.0)


async def test_who_takes_a_line_and_does_not_greet_keeps_no_connection() -> None:
    async def silent(request: web.Request, _: Peer) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        return socket

    server = PeerServer(identity(), signer=SECRET, hosts={}, wall=wall, clock=time.monotonic)
    server.mount(LINE, silent)
    server.mount("/peer/v1/echo", echo)
    runner = await serve_peers(server, host="127.0.0.1", port=0, tls=None)
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with asking(identity("gw-2", "us")) as client:
            failures = []  # kept: what ends by being forgotten is not closed
            for _ in range(MAX_CONNECTIONS_PER_PEER):
                with pytest.raises(PeerUnreachable, match="no line in") as failure:
                    await client.open_line(url, LINE, timeout_s=0.1, now=0.0)
                failures.append(failure)
            await client.call(url, "POST", "/peer/v1/echo", b"x", timeout_s=PATIENCE_S)
    finally:
        await runner.cleanup()


async def test_a_line_ends_with_whoever_is_behind_it(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(listening(tmp_path, Behind(itself)))
        client = await stack.enter_async_context(asking(identity("gw-2", "us")))
        line = await opened(client, url)
        await stack.aclose()
        with pytest.raises(LineBroken):
            await line.ask(b"q", timeout_s=PATIENCE_S)
        assert not line.may_be_used(time.monotonic())


async def test_a_line_ends_when_the_mesh_has_another_key(tmp_path: Path) -> None:
    behind, both_keys = Behind(itself), Signer((b"mesh", b"new"))
    async with listening(tmp_path, behind) as url, asking(identity("gw-2", "us", both_keys)) as client:
        line = await opened(client, url)
        assert await line.ask(b"before", timeout_s=PATIENCE_S) == b"before"
        behind.who.adopt(Signer((b"new", b"mesh")))
        with pytest.raises(LineBroken):
            await line.ask(b"after", timeout_s=PATIENCE_S)
        assert await (await opened(client, url)).ask(b"again", timeout_s=PATIENCE_S) == b"again"


async def test_a_line_is_not_used_beyond_its_life_and_the_other_side_ends_it(tmp_path: Path) -> None:
    behind = Behind(itself)
    async with listening(tmp_path, behind) as url, asking(identity("gw-2", "us")) as client:
        line = await opened(client, url)
        assert line.may_be_used(time.monotonic())
        assert not line.may_be_used(time.monotonic() + LIFE_S)
        behind.at = LIFE_S + EXTRA_LIFE_S
        await line.ask(b"the last", timeout_s=PATIENCE_S)
        with pytest.raises(LineBroken):
            await line.ask(b"too late", timeout_s=PATIENCE_S)
        await line.close()
