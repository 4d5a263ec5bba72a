"""Run many seeds: `python -m tests.simulation --seeds 2000 [--first N]`, or one of them again: `--seed N`.

One seed in forty is a run of whole regions (tests/simulation/regions), the others of stores alone (world.py).
Prints what was simulated, and for every seed that fails its violations and the fewest faults that still make it fail.
Exit code 1 when one failed. `--within SECONDS`: on a slow machine, rather fewer seeds than a stage that is cut off
before it has told anything; no round of seeds begins after that time, and the end says so.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from multiprocessing import get_context

from tests.simulation.report import Report
from tests.simulation.seeds import WHOLE, run, shrink

CHUNK = 10
ROUND = 100
"""Seeds after which is told how far it is, and looked at the time."""
SHRINK_RUNS = 20
"""Of a seed that fails among many; `--seed` takes all that it takes."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int, help="this one alone, with what happened in it")
    parser.add_argument("--step", type=int, default=1, help=f"{WHOLE}: of whole regions alone")
    parser.add_argument("--within", type=float, default=math.inf, help="seconds after which no round of seeds begins")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    os.environ["PYTHONHASHSEED"] = "0"  # of the processes that run seeds: sets have an order too
    if given.seed is not None:
        return _one(given.seed)
    began = time.monotonic()
    reports: list[Report] = []
    with get_context("spawn").Pool(given.jobs) as pool:
        seeds = range(given.first, given.first + given.seeds * given.step, given.step)
        for first in range(0, len(seeds), ROUND):
            if time.monotonic() - began > given.within:
                sys.stdout.write(f"simulation: {given.within:.0f} s are over, {len(seeds) - first} seeds are not run\n")
                break
            for report in pool.imap_unordered(run, seeds[first : first + ROUND], chunksize=CHUNK):
                reports.append(report)
                if report.violations:
                    _show(report)
                    _show(pool.apply(shrink, (report, SHRINK_RUNS)))
            sys.stdout.write(f"simulation: {len(reports)} of {len(seeds)} seeds, {time.monotonic() - began:.0f} s\n")
            sys.stdout.flush()
    return _sum_up(reports, time.monotonic() - began)


def _one(seed: int) -> int:
    with get_context("spawn").Pool(1) as pool:
        (report,) = pool.map(run, [seed])
        smallest = pool.map(shrink, [report])[0] if report.violations else report
    for fault in report.faults:
        sys.stdout.write(f"  {fault}\n")
    _show(smallest)
    return 1 if report.violations else 0


def _show(report: Report) -> None:
    verdict = f"{len(report.violations)} violations" if report.violations else "nothing wrong"
    sys.stdout.write(f"seed {report.seed}: {verdict}, schedule {report.schedule}, with {list(report.faults)}\n")
    for found in report.violations[:10]:
        sys.stdout.write(f"    {found}\n")
    if report.violations:
        sys.stdout.write(f"    again: python -m tests.simulation --seed {report.seed}\n")
    sys.stdout.flush()


def _sum_up(reports: list[Report], took_s: float) -> int:
    failed = sorted(report.seed for report in reports if report.violations)
    hours = sum(report.simulated_s for report in reports) / 3600
    writes, told = sum(report.asked for report in reports), sum(report.acknowledged for report in reports)
    requests = sum(report.requests for report in reports)
    schedules = len({report.schedule for report in reports})
    faults, reads = sum(len(report.faults) for report in reports), sum(report.reads for report in reports)
    sys.stdout.write(
        f"simulation: {len(reports)} seeds, {schedules} distinct schedules, {hours:.1f} simulated hours "
        f"in {took_s:.0f} s; {writes} writes asked, {told} acknowledged, {reads} session reads, {faults} faults, "
        f"{requests} requests through gateways\n"
        f"{len(reports) - len(failed)} passed, {len(failed)} failed\n"
    )
    if failed:
        sys.stdout.write(f"simulation: failed seeds {failed}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
