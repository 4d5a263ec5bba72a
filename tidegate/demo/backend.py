"""A backend of the demo: a real HTTP server that answers as late as its distance from the caller demands.

    python -m tidegate.demo.backend --region eu-west --name eu-west-1 --bind 127.0.0.1:20001 --log eu-west-1.jsonl

It answers every request with JSON that names itself and says what it got, and appends one line to its log for each:
when (monotonic seconds, which all processes of a machine share), who asked, method, path, request id, what the body
said, whether it was a probe. The line is in the file before the answer leaves, so a `kill -9` loses no line of an
answered request: the log is the evidence that promises are checked against.

The caller is the node named last in `Via`, or, for a probe, in brackets in its User-Agent; the answer waits for the
round trip between its region and this one (`distance.py`). Probes wait too: connecting on loopback takes no time, so
the distance can only be seen in how long an answer takes. Somebody else, such as curl, is not made to wait.

`--unwell` answers everything with 503, at once. The demo puts such a server where a backend died, to write down what is
still sent there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop
from aiohttp import web

from tidegate.demo.distance import BY_REGION, region_of_node, round_trip_s

PROBE = re.compile(r"^tidegate-probe/\S+ \((?P<node>[^)]+)\)$")
LOGGED_BODY_CHARACTERS = 256
"""Enough to find a marked value in the log; the demo's bodies are shorter."""
STOP_GRACE_S = 1.0


class RequestLog:
    """Appends one JSON line at a time; each is one write, so lines are whole even if the process is killed."""

    def __init__(self, path: Path | None) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = None if path is None else os.open(path, flags, 0o644)

    def append(self, line: dict[str, object]) -> None:
        if self._descriptor is not None:
            os.write(self._descriptor, json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def caller(headers: Sequence[tuple[str, str]]) -> tuple[str | None, bool]:
    """The id of the node that sent a request, None when it does not say, and whether it is a probe."""
    node = None
    for name, value in headers:
        if name.lower() == "user-agent" and (probe := PROBE.match(value)):
            return probe["node"], True
        if name.lower() == "via":
            words = value.rsplit(",", 1)[-1].split()
            node = words[1] if len(words) > 1 else None
    return node, False


def delay_s(node: str | None, *, region: str) -> float:
    """How long an answer to this node travels, there and back."""
    origin = region_of_node(node) if node is not None else None
    return round_trip_s(origin, region) if origin is not None else 0.0


def application(
    *, region: str, name: str, log: RequestLog, unwell: bool = False, clock: Callable[[], float] = time.monotonic
) -> web.Application:
    """The backend as an aiohttp application."""

    async def answer(request: web.Request) -> web.Response:
        arrived = clock()
        node, is_probe = caller([*request.headers.items()])
        body = ""
        try:
            body = await request.text()
        finally:  # also what arrived of a body that broke off was sent here
            got: dict[str, object] = {
                "at": arrived,
                "backend": name,
                "method": request.method,
                "path": request.path_qs,
                "request_id": request.headers.get("X-Request-Id"),
                "from": node,
                "probe": is_probe,
                "body": body[:LOGGED_BODY_CHARACTERS],
            }
            log.append(got)
        headers = {"X-Backend": name, "X-Region": region}
        if unwell:
            return web.json_response({"backend": name, "state": "unwell"}, status=503, headers=headers)
        travel = delay_s(node, region=region)
        await asyncio.sleep(travel)
        if request.path == "/healthz":
            return web.json_response({"backend": name, "state": "well"}, headers=headers)
        told = {"backend": name, "region": region, "travel_ms": round(travel * 1000, 1), "got": got}
        return web.json_response(told, headers=headers)

    async def close_log(_: web.Application) -> None:
        log.close()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    app.on_cleanup.append(close_log)
    return app


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tidegate.demo.backend", description="A backend of the Tidegate demo.")
    parser.add_argument("--region", required=True, choices=sorted(BY_REGION))
    parser.add_argument("--name", required=True)
    parser.add_argument("--bind", required=True, metavar="HOST:PORT")
    parser.add_argument("--log", type=Path, metavar="FILE")
    parser.add_argument("--unwell", action="store_true", help="answer everything with 503")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    options = parse(arguments)
    host, _, port = options.bind.rpartition(":")
    app = application(region=options.region, name=options.name, log=RequestLog(options.log), unwell=options.unwell)
    web.run_app(
        app,
        host=host,
        port=int(port),
        print=None,
        access_log=None,
        shutdown_timeout=STOP_GRACE_S,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
