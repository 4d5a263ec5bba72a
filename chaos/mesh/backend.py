"""The backends of one region: real HTTP and WebSocket servers that write down everything that reaches them.

    python -m chaos.mesh.backend --region eu-west --log eu-west.jsonl 10.77.1.1:8001 10.77.1.1:8002

One process, one server an address. Each request is a line in the log before its answer leaves, so a `kill -9` loses no
line of an answered request: the log says what was *executed*, whatever clients were told. The answer repeats the
request's own token, so that an answer that reaches the wrong client is seen.

A WebSocket gets every message back, with the backend's name in front.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop
from aiohttp import WSMsgType, web

from chaos.mesh.plan import backend_name
from tidegate.demo.backend import RequestLog, caller

TOKEN = "Chaos-Token"  # noqa: S105 - a request's own number
STOP_GRACE_S = 0.5


def application(
    *, name: str, region: str, log: RequestLog, clock: Callable[[], float] = time.monotonic
) -> web.Application:
    """One backend."""

    async def answer(request: web.Request) -> web.StreamResponse:
        arrived = clock()
        node, is_probe = caller([*request.headers.items()])
        token = request.headers.get(TOKEN, "")
        is_whole = False
        try:
            body = await request.text()
            is_whole = True
        finally:  # also what broke off was sent here
            if not is_probe:
                log.append(
                    {
                        "at": arrived,
                        "backend": name,
                        "region": region,
                        "from": node,
                        "method": request.method,
                        "path": request.path,
                        "token": token,
                        "request_id": request.headers.get("X-Request-Id", ""),
                        "whole": is_whole,
                    }
                )
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await echo(request, name)
        if is_probe:
            return web.Response(text="well")
        return web.json_response({"backend": name, "region": region, "token": token, "body": body})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


async def echo(request: web.Request, name: str) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(f"{name} {message.data}")
    return socket


async def serve(region: str, addresses: Sequence[str], names: Sequence[str], log: RequestLog) -> list[web.AppRunner]:
    """All of them, until the runners are cleaned up."""
    runners = []
    for address, name in zip(addresses, names, strict=True):
        host, _, port = address.rpartition(":")
        app = application(name=name, region=region, log=log)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_GRACE_S, keepalive_timeout=30.0)
        await runner.setup()
        await web.TCPSite(runner, host, int(port), backlog=512).start()
        runners.append(runner)
    return runners


def main(arguments: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="chaos.mesh.backend", description="The backends of one region.")
    parser.add_argument("--region", required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("addresses", nargs="+", metavar="HOST:PORT")
    options = parser.parse_args(arguments)
    log = RequestLog(options.log)

    names = [backend_name(options.region, int(address.rpartition(":")[2])) for address in options.addresses]

    async def started(_: web.Application) -> None:
        await serve(options.region, options.addresses[1:], names[1:], log)

    host, _, port = options.addresses[0].rpartition(":")
    first = application(name=names[0], region=options.region, log=log)
    first.on_startup.append(started)
    web.run_app(
        first,
        host=host,
        port=int(port),
        print=None,
        access_log=None,
        shutdown_timeout=STOP_GRACE_S,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
