"""`python -m chaos [--short] [NAME...]`: try the hypotheses one after the other, one line a promise."""

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

from chaos import report, rig
from chaos.experiments import ALL
from chaos.hypothesis import Hypothesis
from chaos.toxiproxy import ToxiproxyError
from tidegate.demo.promises import Promise

ENOUGH, ENOUGH_SHORT = 500, 60
"""Requests to show each effect by."""
ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str]) -> int:
    names = [hypothesis.name for hypothesis in ALL]
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Tidegate against real faults.")
    parser.add_argument("--short", action="store_true", help="fewer requests for each effect")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to try: {', '.join(names)} (default: all)")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(names):
        parser.error(f"found {', '.join(sorted(unknown))}, expected some of {', '.join(names)}")
    wanted = [hypothesis for hypothesis in ALL if not given.names or hypothesis.name in given.names]
    try:
        return asyncio.run(_try_all(wanted, enough=ENOUGH_SHORT if given.short else ENOUGH))
    except ToxiproxyError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 1


async def _try_all(hypotheses: Sequence[Hypothesis], *, enough: int) -> int:
    began = time.monotonic()
    promises: list[Promise] = []
    for hypothesis in hypotheses:
        print(report.headline(hypothesis), flush=True)
        found = await _try(hypothesis, enough=enough)
        promises += found
        for line in report.lines(found):
            print(line, flush=True)
    print(report.closing_line(promises, took_s=time.monotonic() - began))
    return report.exit_code(promises)


async def _try(hypothesis: Hypothesis, *, enough: int) -> Sequence[Promise]:
    """Its promises. What the processes wrote is kept, and named, when one was broken."""
    directory = Path(tempfile.mkdtemp(prefix=f"tidegate-{hypothesis.name}-"))
    async with rig.running(
        hypothesis.setting,
        directory=directory,
        root=ROOT,
        rng=random.Random(),  # noqa: S311  # spreads requests, guards nothing
        environ=os.environ,
        enough=enough,
    ) as running:
        promises = await hypothesis.try_on(running)
    if report.exit_code(promises):
        print(f"  logs and configuration: {directory}")
    else:
        shutil.rmtree(directory)
    return promises


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
