"""What does probing cost? CPU and lateness of one prober over thousands of endpoints, each probed once a second.

    python -m bench.probe_cost [--seconds 10] [--endpoints 250 1000 2000]

The endpoints are one server process of its own, under many ids: what is measured is the prober's process only. A µs a
probe that does not grow with their number is what "flat" means.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import cast

import uvloop

from health.core.probe import ProbeSettings, ProbeTarget, Protocol
from health.prober import Prober

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
WARM_UP_S = 2.0


class Endpoint(asyncio.Protocol):
    """Answers the first bytes and closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER)
        self.transport.close()


async def serve(port_to: Connection) -> None:
    server = await asyncio.get_running_loop().create_server(Endpoint, "127.0.0.1", 0, backlog=4096)
    port_to.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def run_server(port_to: Connection) -> None:
    uvloop.run(serve(port_to))


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one prober over so many endpoints."""

    endpoints: int
    probes_per_s: float
    cpu_share: float
    """Of one core."""
    cpu_us: float
    """A probe."""
    late: int
    """Probes that began late."""
    up: int


def cost(port: int, endpoints: int, protocol: Protocol, seconds: float) -> Cost:
    """On a loop of its own, as a node has it."""
    return uvloop.run(measure(port, endpoints, protocol, seconds))


async def measure(port: int, endpoints: int, protocol: Protocol, seconds: float) -> Cost:
    settings = ProbeSettings(protocol=protocol, interval_s=1.0, timeout_s=1.0)
    targets = [ProbeTarget(f"api/eu/{number}", "api", "eu", "127.0.0.1", port, settings) for number in range(endpoints)]
    prober = Prober(node_id="bench", on_change=lambda: None, rng=random.SystemRandom(), wall=lambda: 0.0)
    prober.reconcile(targets)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(prober.run())
        await asyncio.sleep(WARM_UP_S)
        cpu_s, began, before = time.process_time(), time.monotonic(), prober.load()
        await asyncio.sleep(seconds)
        cpu_s, took_s, after = time.process_time() - cpu_s, time.monotonic() - began, prober.load()
        running.cancel()
    probes = after.started - before.started
    up = sum(verdict.health == "up" for verdict in prober.endpoints().values())
    return Cost(endpoints, probes / took_s, cpu_s / took_s, 1e6 * cpu_s / probes, after.late - before.late, up)


def shown(protocol: Protocol, one: Cost) -> str:
    return (
        f"{protocol:<9}{one.endpoints:>9}{one.probes_per_s:>10.0f}{100 * one.cpu_share:>8.1f}%"
        f"{one.cpu_us:>12.0f}{one.late:>7}{one.up:>7}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--endpoints", type=int, nargs="+", default=[250, 1000, 2000])
    given = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    port_from, port_to = context.Pipe(duplex=False)
    server = context.Process(target=run_server, args=(port_to,), daemon=True)
    server.start()
    try:
        port = port_from.recv()
        print(
            f"{'loop':<9}{'protocol':<9}{'endpoints':>9}{'probes/s':>10}{'CPU':>9}{'µs/probe':>12}{'late':>7}{'up':>7}"
        )
        protocols: tuple[Protocol, ...] = ("http", "tcp")
        for name, run in (("asyncio", asyncio.run), ("uvloop", uvloop.run)):
            for protocol in protocols:
                for endpoints in given.endpoints:
                    found = run(measure(port, endpoints, protocol, given.seconds))
                    print(f"{name:<9}{shown(protocol, found)}", flush=True)
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
