"""Asking a peer: an answer only from who was meant, and in time."""

from __future__ import annotations

import pytest
from aiohttp import web

from health.peering.client import PeerUnreachable
from tests.harness.peering import asking, identity


async def test_an_answer_from_somebody_else_is_no_answer() -> None:
    async def imposter(request: web.Request) -> web.Response:
        return web.Response(body=b"{}", headers=identity().headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", imposter)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with asking(identity("gw-2", "us")) as client:
            with pytest.raises(PeerUnreachable, match="without a signature"):
                await client.call(f"http://127.0.0.1:{runner.addresses[0][1]}", "GET", "/peer/v1/echo", timeout_s=5)
    finally:
        await runner.cleanup()


async def test_a_peer_that_does_not_answer_costs_its_timeout() -> None:
    async with asking(identity()) as client:
        with pytest.raises(PeerUnreachable):
            await client.call("http://127.0.0.1:9", "GET", "/peer/v1/echo", timeout_s=1)
