"""Runs all of it and writes the page; see bench/health/__init__.py."""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import machine, probe_cost
from bench.health.deaths import endpoint_deaths, region_deaths
from bench.health.leaders import leader_deaths
from bench.health.page import Figure, page

RESULTS = Path("bench/results")
ROUNDS = 5
PROBED = (1000, 2000, 4000)
PROBE_SECONDS = 10.0

Section = Callable[[Path, int], Awaitable[list[Figure]]]
SECTIONS: dict[str, Section] = {
    "endpoint-gone": lambda folder, rounds: endpoint_deaths(folder, rounds, "gone"),
    "endpoint-stuck": lambda folder, rounds: endpoint_deaths(folder, rounds, "stuck"),
    "region-gone": lambda folder, rounds: region_deaths(folder, rounds, "gone"),
    "region-stuck": lambda folder, rounds: region_deaths(folder, rounds, "stuck"),
    "leader-embedded": lambda folder, rounds: leader_deaths(folder, rounds, "embedded"),
    "leader-postgres": lambda folder, rounds: leader_deaths(folder, rounds, "postgres"),
    "leader-redis": lambda folder, rounds: leader_deaths(folder, rounds, "redis"),
}


def probing() -> list[Figure]:
    """CPU of one prober by the number of endpoints, each probed over HTTP once a second."""
    context = multiprocessing.get_context("spawn")
    port_from, port_to = context.Pipe(duplex=False)
    server = context.Process(target=probe_cost.run_server, args=(port_to,), daemon=True)
    server.start()
    try:
        port = port_from.recv()
        costs = [probe_cost.cost(port, endpoints, "http", PROBE_SECONDS) for endpoints in PROBED]
    finally:
        server.terminate()
        server.join()
    how = "Probes: one process, each endpoint asked over HTTP once a second, a connection each time."
    # By the CPU of the probes that were made: on a busy machine fewer are than were due.
    return [
        Figure(f"probing {one.endpoints} endpoints: for each thousand", [one.cpu_us / 10], "% of a core", None, how)
        for one in costs
    ]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.health", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round each")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--sections", default="", help=f"some of {','.join([*SECTIONS, 'probing'])}")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the page")
    given = parser.parse_args(arguments)
    wanted = given.sections.split(",") if given.sections else [*SECTIONS, "probing"]
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    facts = machine.facts(now)
    figures: list[Figure] = []
    for name in wanted:
        print(f"bench: {name} ...", flush=True)
        if name == "probing":
            found = probing()
        else:
            with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
                found = asyncio.run(_run(SECTIONS[name], Path(folder), 1 if given.quick else given.rounds))
        figures += found
        for one in found:
            print(f"bench:   {one.what}: {', '.join(f'{value:.3g}' for value in one.values)} {one.unit}", flush=True)
    is_whole = not (given.quick or given.sections)
    path = given.output / ("health.md" if is_whole else "quick.health.md")
    path.write_text(page(figures, facts, f"python -m bench.health --rounds {given.rounds}"))
    print(f"bench: {path}")
    return 0


async def _run(section: Section, folder: Path, rounds: int) -> list[Figure]:
    return await section(folder, rounds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
