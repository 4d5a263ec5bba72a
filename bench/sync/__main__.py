"""Runs all of it and writes the page; see bench/sync/__init__.py."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from bench import machine
from bench.results import Results
from bench.sync.judging import judge
from bench.sync.page import page
from bench.sync.products import client
from bench.sync.products.postgres import Postgres
from bench.sync.products.pouchdb import PouchDB
from bench.sync.products.product import Product, directly
from bench.sync.products.redis import Redis
from bench.sync.products.tidegate import Tidegate
from bench.sync.sections import SECTIONS, Course, Effort, wire

RESULTS = Path("bench/results")
FULL = Effort(rounds=3, documents=100_000, seconds=4.0)
QUICK = Effort(rounds=1, documents=10_000, seconds=1.5)
NAMES = (*SECTIONS, "wire")


class Missing(Exception):
    """The product cannot be had here; says why."""


def everyone(compiled: Path | None = None) -> list[Product]:
    return [
        Tidegate(compiled=compiled), Postgres(), Redis(is_durable=True), Redis(is_durable=False), PouchDB(),
    ]  # fmt: skip


def chosen(products: Sequence[Product], only: str) -> list[Product]:
    """Those named, without regard to case. Raises SystemExit for a name that is nobody's."""
    if not only:
        return list(products)
    wanted = {name.strip().lower() for name in only.split(",")}
    known = {one.name.partition(",")[0].lower() for one in products}
    if unknown := wanted - known:
        raise SystemExit(f"bench: found {', '.join(sorted(unknown))}, expected some of {', '.join(sorted(known))}")
    return [one for one in products if one.name.partition(",")[0].lower() in wanted]


async def measure(products: Sequence[Product], sections: Sequence[str], effort: Effort, folder: Path) -> Results:
    results = Results()
    async with AsyncExitStack() as stack:
        courses = []
        for number, product in enumerate(products):
            try:
                here = _made(folder / f"pair-{number}")
                courses.append(await _begun(product, here, effort, results, stack))
            except Exception as error:  # noqa: BLE001 - a product that does not start is a sentence on the page
                results.refuse("everything", product.name, _sentence(error))
        for name in (one for one in SECTIONS if one in sections):
            began = time.monotonic()
            print(f"bench: {name} ...", flush=True)
            for round_ in range(effort.rounds if name != "memory" else 1):
                for course in courses:
                    await _one(course, name, round_)
            print(f"bench: {name}: {time.monotonic() - began:.0f} s", flush=True)
    if "wire" in sections:
        print("bench: wire ...", flush=True)
        for number, course in enumerate(courses):
            try:
                await wire(course.product, _made(folder / f"wire-{number}"), effort, results)
            except Exception as error:  # noqa: BLE001 - as above
                results.refuse("wire", course.product.name, _sentence(error))
    return results


async def _begun(product: Product, folder: Path, effort: Effort, results: Results, stack: AsyncExitStack) -> Course:
    if why := product.missing():
        raise Missing(why)
    pair = await stack.enter_async_context(product.pair(folder, directly))
    reader = client(pair.b.side)
    await reader.open()
    stack.push_async_callback(reader.close)
    return Course(product, pair, effort, results, reader)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def _one(course: Course, section: str, round_: int) -> None:
    name = course.product.name
    if (section, name) in course.results.absent:
        return
    try:
        await SECTIONS[section](course, round_)
    except Exception as error:  # noqa: BLE001 - a product that fails is a sentence on the page; the others go on
        course.results.refuse(section, name, _sentence(error))
    for sample in course.results.samples:
        if (sample.contestant, sample.round) == (name, round_) and sample.metric.startswith(f"{section}."):
            print(f"bench:   {name}, round {round_ + 1}: {sample.metric} {sample.value:,.4g}", flush=True)


def _sentence(error: Exception) -> str:
    told = str(error) if isinstance(error, Missing) else f"{type(error).__name__}: {error}"
    return told.splitlines()[0][:300]


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.sync", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few documents, one round each")
    parser.add_argument("--only", default="", help="products, separated by commas")
    parser.add_argument("--sections", default="", help=f"some of {','.join(NAMES)}")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--documents", type=int, help="of batches")
    parser.add_argument("--seconds", type=float, help="of singles and lag")
    parser.add_argument("--compiled", type=Path, help="a copy of this tree by scripts/compile.py --copy, for Tidegate")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the page")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    given = options(arguments)
    sections = given.sections.split(",") if given.sections else list(NAMES)
    if unknown := set(sections) - set(NAMES):
        raise SystemExit(f"bench: found section {', '.join(sorted(unknown))}, expected some of {', '.join(NAMES)}")
    products = chosen(everyone(given.compiled), given.only)
    usual = QUICK if given.quick else FULL
    effort = Effort(given.rounds or usual.rounds, given.documents or usual.documents, given.seconds or usual.seconds)
    is_whole = not (given.quick or given.only or given.sections or given.rounds or given.documents or given.seconds)
    facts = machine.facts(datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
        results = uvloop.run(measure(products, sections, effort, Path(folder)))
    fewer = ", ".join(f"{one.name} {one.share:.0%} of them" for one in products if one.share < 1)
    text = page(
        results,
        products=[one.name for one in products],
        facts=facts,
        versions={one.name: one.missing() or one.version() for one in products},
        settings={one.name: one.settings for one in products},
        observed={one.name: one.observed for one in products},
        command="make bench-sync" if is_whole else " ".join(["python -m bench.sync", *arguments]),
        effort=f"{effort.rounds} rounds, {effort.documents:,} documents a batch run{f' ({fewer})' if fewer else ''}, "
        f"{effort.seconds:g} s of singles and of lag; {time.monotonic() - began:.0f} s in all.",
    )
    path = given.output / ("sync.md" if is_whole else "quick.sync.md")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print("\n".join(f"{one.verdict:<13} {one.goal}: {one.measured}" for one in judge(results)))
    print(f"bench: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
