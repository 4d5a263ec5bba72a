"""What is for the sync process goes through to its socket, with who was proven to ask."""

from __future__ import annotations

import time
from pathlib import Path

import aiohttp
from aiohttp import web

from health.peering.forward import SyncForward
from health.peering.server import PeerServer
from health.peering.signing import signed
from tests.harness.peering import SECRET, headers, identity, raw, serve_peers
from tidegate.node.wall import wall


async def test_sync_requests_are_brought_to_the_socket_with_who_was_proven_and_answers_signed(tmp_path: Path) -> None:
    async def sync(request: web.Request) -> web.StreamResponse:
        out = web.StreamResponse(headers={"X-Who": request.headers["Tidegate-Peer-Region"]})
        await out.prepare(request)
        async for chunk in request.content.iter_any():
            await out.write(chunk)
        await out.write(request.path_qs.encode())
        return out

    path = tmp_path / "sync.sock"
    server = PeerServer(identity(), signer=SECRET, hosts={}, wall=wall, clock=time.monotonic)
    forward = SyncForward(path, streams_bodies=False)
    server.mount("/peer/v1/sync/", forward)
    runner = await serve_peers(server, host="127.0.0.1", port=0, tls=None)
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    target = "/peer/v1/sync/changes?a=1"
    try:
        forged = headers(path=target) | {"Tidegate-Peer-Region": "eu"}
        assert (await raw(url, forged, path=target))[1]["reason"] == "sync_absent"
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", sync)
        behind = web.AppRunner(app)
        await behind.setup()
        await web.UnixSite(behind, str(path)).start()
        own = identity("gw-2", "us").headers
        again = own | signed(SECRET, method="POST", target=target, who=own, body=b"x", wall=wall(), nonce="cd" * 16)
        async with (
            aiohttp.ClientSession() as session,
            session.post(url + target, data=b"x", headers=again | {"Tidegate-Peer-Region": "eu"}) as answer,
        ):
            assert (answer.status, answer.headers["X-Who"]) == (200, "us")
            assert await answer.read() == b"x/peer/v1/sync/changes?a=1"
            assert answer.headers["Tidegate-Node"] == identity().node
            assert answer.headers["Tidegate-Signature"]
        await behind.cleanup()
    finally:
        await forward.close()
        await runner.cleanup()
