"""Two ends of the peer channel over real sockets, and requests made by hand."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiohttp import web

from config.core.signing import Signer
from health.peering.client import PeerClient
from health.peering.identity import Identity, Peer
from health.peering.server import PeerServer, runner_of
from health.peering.signing import signed
from tidegate.node.wall import wall

REGIONS = ("eu", "us")
MESH = Signer((b"mesh",))
SECRET = Signer((b"secret",))


def identity(node: str = "gw-1", region: str = "eu", signer: Signer = MESH) -> Identity:
    return Identity(node=node, region=region, regions=REGIONS, signer=signer)


async def echo(request: web.Request, peer: Peer) -> web.Response:
    return web.Response(body=json.dumps([peer.node, peer.region, (await request.read()).decode()]).encode())


async def serve_peers(server: PeerServer, *, host: str, port: int, tls: Any) -> web.AppRunner:
    """`cleanup()` ends it."""
    runner = runner_of(server)
    await runner.setup()
    await web.TCPSite(runner, host, port, ssl_context=tls, reuse_address=True, reuse_port=True).start()
    return runner


@contextlib.asynccontextmanager
async def serving(*, signer: Signer | None = SECRET, tls: Any = None, wall: Any = wall) -> AsyncIterator[str]:
    server = PeerServer(
        identity(), signer=signer, hosts={"us": frozenset({"us.test"})}, wall=wall, clock=time.monotonic
    )
    server.mount("/peer/v1/echo", echo)
    runner = await serve_peers(server, host="127.0.0.1", port=0, tls=tls)
    port = runner.addresses[0][1]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def asking(who: Identity, *, signer: Signer | None = SECRET, tls: Any = None) -> AsyncIterator[PeerClient]:
    client = PeerClient(who, signer=signer, tls=tls, wall=wall)
    try:
        yield client
    finally:
        await client.close()


async def raw(url: str, headers: dict[str, str], body: bytes = b"x", path: str = "/peer/v1/echo") -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(url + path, data=body, headers=headers) as answer:
        return answer.status, json.loads(await answer.read())


def headers(*, at: float | None = None, path: str = "/peer/v1/echo", body: bytes = b"x") -> dict[str, str]:
    own = identity("gw-2", "us").headers
    return own | signed(
        SECRET, method="POST", target=path, who=own, body=body, wall=wall() if at is None else at, nonce="ab" * 16
    )
