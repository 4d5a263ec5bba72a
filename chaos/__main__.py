"""`python -m chaos [--short] [NAME...]`: try the hypotheses, one line a promise; then the table and the pictures.

--short      the quick hypotheses and the columns that CI runs, once
--runs N     how often each column (default 5); what has a result already is not run again
--again      run it all the same
--soak M     one run of M minutes in which faults come and go
--planted    on a build with known bugs: exit 0 when the promises find them all
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from chaos import lines, machine, planted, rig, table, timeline
from chaos.column import SHORT, Timing, tried
from chaos.experiments import ALL, COLUMNS, soak
from chaos.hypothesis import Hypothesis
from chaos.mesh import mesh, network
from chaos.mesh.servers import ServerMissing
from chaos.results import Result, read
from chaos.series import Run, Series
from chaos.toxiproxy import ToxiproxyError, find_server
from tidegate.demo.promises import Promise

ENOUGH, ENOUGH_SHORT = 500, 60
"""Requests to show each effect by, on one node."""
RUNS = 5
ROOT = Path(__file__).resolve().parents[1]
KEPT, PASSING = ROOT / "chaos" / "report", ROOT / ".reports" / "chaos"
"""Where the full report is, which is committed, and where the short one goes."""


def main(arguments: Sequence[str]) -> int:
    given = _parsed(arguments)
    try:
        if (code := network.isolated(("-m", "chaos", *arguments), os.environ)) is not None:
            return code
        network.open_network()
        return asyncio.run(_try_all(given))
    except (ToxiproxyError, network.NetworkError, ServerMissing) as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 1


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    names = [*(one.name for one in ALL), *(one.name for one in COLUMNS)]
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Tidegate against real faults.")
    parser.add_argument("--short", action="store_true", help="what CI runs: a few columns, once, with little traffic")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"how often each column is run (default {RUNS})")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the others count on from it")
    parser.add_argument("--again", action="store_true", help="also what has a result of this commit")
    parser.add_argument("--planted", action="store_true", help="show that the promises see bugs that are there")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="faults come and go for so long, on one mesh")
    parser.add_argument("--to", type=Path, help="where results, table and pictures go")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to try: {', '.join(names)} (default: all)")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(names):
        parser.error(f"found {', '.join(sorted(unknown))}, expected some of {', '.join(names)}")
    if given.runs < 1:
        parser.error(f"found --runs {given.runs}, expected at least 1")
    return given


async def _try_all(given: argparse.Namespace) -> int:
    if given.planted:
        return await _planted()
    if given.soak is not None:
        return await _soak(given)
    began = time.monotonic()
    promises: list[Promise] = []
    for hypothesis in ALL:
        if not given.names or hypothesis.name in given.names:
            print(lines.headline(hypothesis), flush=True)
            found = await _try(hypothesis, enough=ENOUGH_SHORT if given.short else ENOUGH)
            promises += found
            _print(found)
    promises += await _columns(given)
    print(lines.closing_line(promises, took_s=time.monotonic() - began))
    return lines.exit_code(promises)


async def _soak(given: argparse.Namespace) -> int:
    """Its promises, and its picture."""
    folder: Path = given.to or PASSING
    timing = Timing(fault_s=given.soak * 60)
    series = Series(folder / "results", ROOT, os.environ, timing, "soak", machine.commit(ROOT), print)
    promises: list[Promise] = []
    print(soak.EXPERIMENT.headline, flush=True)
    async for result in series.made([Run(soak.EXPERIMENT, 1, given.seed)], is_again=True):
        promises += result.promises
        _print(result.promises)
        (folder / "soak.svg").write_text(timeline.svg(result))
    return lines.exit_code(promises)


async def _planted() -> int:
    """The other way round: what is kept here, nobody would see broken."""
    with tempfile.TemporaryDirectory(prefix="tidegate-planted-") as folder:
        build, directory = planted.build(ROOT, Path(folder) / "build"), Path(folder) / "mesh"
        directory.mkdir()
        setting = planted.EXPERIMENT.setting
        async with mesh.running(setting, directory=directory, root=ROOT, environ=os.environ, build=build) as running:
            outcome = await tried(running, planted.EXPERIMENT, run="planted", seed=1, timing=SHORT)
    print(planted.EXPERIMENT.headline)
    _print(outcome.promises)
    missed = list(planted.missed(outcome.promises))
    print("\n".join(missed) or f"{len(planted.BUGS)} planted bugs, all found")
    return 1 if missed else 0


async def _columns(given: argparse.Namespace) -> list[Promise]:
    """Those that were asked for: run what has no result, and report on all."""
    wanted = [
        one for one in COLUMNS if one.name in given.names or (not given.names and (one.in_short or not given.short))
    ]
    if not wanted:
        return []
    folder: Path = given.to or (PASSING if given.short else KEPT)
    if given.again or given.short:
        for one in wanted:
            for old in (folder / "results").glob(f"{one.name}.*.json"):
                old.unlink()
    series = Series(
        folder / "results",
        ROOT,
        os.environ,
        SHORT if given.short else Timing(),
        "short" if given.short else "full",
        machine.commit(ROOT),
        lambda text: print(text, flush=True),
    )
    numbers = range(1, 2 if given.short else given.runs + 1)
    runs = [Run(one, number, given.seed + number - 1) for one in wanted for number in numbers]
    async for result in series.made(runs):
        experiment = next(one for one in COLUMNS if one.name == result.experiment)
        print(f"{experiment.headline} (run {result.number}, seed {result.seed}, {result.took_s:.0f} s)")
        _print(result.promises)
    names = {one.name for one in wanted}
    return [promise for one in _report(folder, names) for promise in one.promises]


def _report(folder: Path, names: set[str]) -> list[Result]:
    """Table and pictures of all results that are there; those of the wanted ones are returned."""
    results = read(folder / "results")
    order = [one.name for one in COLUMNS]
    words = {one.name: one.when for one in COLUMNS}
    facts = machine.facts(ROOT, toxiproxy=find_server(ROOT))
    text = table.written(results, order=order, facts=facts, words=words)
    (folder / "README.md").write_text(text + "\n")
    pictures = folder / "timelines"
    pictures.mkdir(exist_ok=True)
    for result in results:
        if result.seconds:
            (pictures / f"{result.experiment}.svg").write_text(timeline.svg(result))
    print(text)
    print(f"chaos: report in {folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder}")
    return [one for one in results if one.experiment in names]


async def _try(hypothesis: Hypothesis, *, enough: int) -> Sequence[Promise]:
    """Its promises. What the processes wrote is kept, and named, when one was broken."""
    directory = Path(tempfile.mkdtemp(prefix=f"tidegate-{hypothesis.name}-"))
    async with rig.running(
        hypothesis.setting,
        directory=directory,
        root=ROOT,
        rng=random.Random(),  # noqa: S311  # spreads requests, guards nothing
        environ=network.outside(os.environ),
        enough=enough,
    ) as running:
        promises = await hypothesis.try_on(running)
    if lines.exit_code(promises):
        print(f"  logs and configuration: {directory}")
    else:
        shutil.rmtree(directory)
    return promises


def _print(promises: Sequence[Promise]) -> None:
    for line in lines.of(promises):
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
