"""What is measured, and what proves it: everything that was acknowledged in A is read back in B, value by value."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.results import Results
from bench.sync.client import Client
from bench.sync.documents import key_of, prove
from bench.sync.family import cpu_s, memory_mib
from bench.sync.judging import percentile
from bench.sync.loads import Job, Report, loads
from bench.sync.products import client
from bench.sync.products.product import Pair, Product, go_on, halt
from bench.sync.relay import Relay

BATCH = 500
WRITERS = 4
CLIENTS = 64
PACED_CONNECTIONS = 16
RATE = 1000.0
MOST_SINGLES_A_SECOND = 30_000
TRIAL_S = 1.0
BUSY = 0.85
"""Of a core: a client that uses more may be what is measured, and gets a second process beside it."""
LOOK_EVERY_S = 0.002
CATCH_UP_PART = 0.5
VISIBLE_WITHIN_S = 120.0
PROOF_AFTER_BATCHES = 2 * WRITERS
"""Batches come in order up to those that were under way together; the last ones tell when all may be there."""


@dataclass(frozen=True, slots=True)
class Effort:
    rounds: int
    documents: int
    """Of `batches`; the others take parts of it."""
    seconds: float
    """Of `singles` and `lag`."""


@dataclass
class Course:
    """One product while it is measured."""

    product: Product
    pair: Pair
    effort: Effort
    results: Results
    reader: Client
    """Of B."""
    runs: int = 0
    busy: dict[str, int] = field(default_factory=dict)

    def run(self) -> str:
        """A name for what is written next."""
        self.runs += 1
        return f"r{self.runs}"

    def documents(self, part: float = 1.0) -> int:
        return max(BATCH, int(self.effort.documents * part * self.product.share) // BATCH * BATCH)

    def add(self, metric: str, round_: int, value: float) -> None:
        self.results.add(metric, self.product.name, round_, value)

    def cost(self) -> tuple[float, float]:
        return cpu_s(self.pair.a.root), cpu_s(self.pair.b.root)

    async def prove(self, run: str, count: int) -> None:
        """Raises UnlikeWhatWasWritten."""
        keys = [key_of(run, number) for number in range(count)]
        prove([one async for one in self.reader.read_back(run, keys)], keys)


async def visible(reader: Client, keys: Sequence[str], *, within_s: float = VISIBLE_WITHIN_S) -> float:
    """When all of them were."""
    async with asyncio.timeout(within_s):
        left = list(keys)
        while left:
            found = set(await reader.present(left[-1:]))
            if not found:
                await asyncio.sleep(LOOK_EVERY_S)
            left = [key for key in left if key not in found]
    return time.monotonic()


def last_of_batches(run: str, count: int) -> list[str]:
    """The last document of each of the last batches."""
    return [key_of(run, number) for number in range(BATCH - 1, count, BATCH)][-PROOF_AFTER_BATCHES:]


async def _written(course: Course, run: str, count: int) -> Report:
    with loads([Job("batches", course.pair.a.side, run, count, connections=WRITERS, batch=BATCH)]) as (load,):
        await load.ready()
        load.go()
        return await load.report()


@dataclass(slots=True)
class Cost:
    """CPU seconds of each region from one moment on; `stop` says when to count no more."""

    course: Course
    began: tuple[float, float] = (0.0, 0.0)
    spent: tuple[float, float] = (0.0, 0.0)

    def start(self) -> None:
        self.began = self.course.cost()

    def stop(self) -> None:
        a, b = self.course.cost()
        self.spent = a - self.began[0], b - self.began[1]

    def add(self, section: str, round_: int, count: int, *, client_s: float | None = None) -> None:
        """By document, in microseconds."""
        a, b = self.spent
        for name, seconds in (("sides", a + b), ("a", a), ("b", b), ("client", client_s)):
            if seconds is not None:
                self.course.add(f"{section}.cpu_{name}", round_, seconds / count * 1e6)


async def batches(course: Course, round_: int) -> None:
    run, count, cost = course.run(), course.documents(), Cost(course)
    with loads([Job("batches", course.pair.a.side, run, count, connections=WRITERS, batch=BATCH)]) as (load,):
        await load.ready()
        cost.start()
        load.go()
        report = await load.report()
        ended = await visible(course.reader, last_of_batches(run, count))
        cost.stop()
    await course.prove(run, count)
    cost.add("batches", round_, count, client_s=report.cpu_s)
    course.add("batches.end_to_end", round_, count / (ended - report.began))
    course.add("batches.acknowledged", round_, count / (report.ended - report.began))


async def singles(course: Course, round_: int) -> None:
    if "singles" not in course.busy:
        course.busy["singles"] = 1
        (report,) = await _singles(course, 1, TRIAL_S, Cost(course))
        is_busy = report.cpu_s > BUSY * (report.ended - report.began)
        course.busy["singles"] = 2 if is_busy else 1
    processes, cost = course.busy["singles"], Cost(course)
    reports = await _singles(course, processes, course.effort.seconds, cost)
    count = sum(one.written for one in reports)
    cost.add("singles", round_, count, client_s=sum(one.cpu_s for one in reports))
    took_s = max(one.ended for one in reports) - min(one.began for one in reports)
    course.add("singles.rate", round_, count / took_s)
    course.add("singles.processes", round_, processes)
    course.add("singles.client_busy", round_, 100 * max(one.cpu_s / (one.ended - one.began) for one in reports))


async def _singles(course: Course, processes: int, seconds: float, cost: Cost) -> list[Report]:
    """Waits until all are visible in B, and proves it."""
    most = int(MOST_SINGLES_A_SECOND * seconds / processes)
    runs = [course.run() for _ in range(processes)]
    jobs = [
        Job("singles", course.pair.a.side, run, most, connections=CLIENTS // processes, seconds=seconds) for run in runs
    ]
    with loads(jobs) as started:
        await asyncio.gather(*(load.ready() for load in started))
        cost.start()
        for load in started:
            load.go()
        reports = list(await asyncio.gather(*(load.report() for load in started)))
    ends = [(run, report.written) for run, report in zip(runs, reports, strict=True)]
    for run, written in ends:
        await visible(course.reader, [key_of(run, number) for number in range(max(0, written - CLIENTS), written)])
    cost.stop()
    for run, written in ends:
        await course.prove(run, written)
    return reports


async def lag(course: Course, round_: int) -> None:
    cost = Cost(course)
    run, count = course.run(), int(RATE * course.effort.seconds)
    jobs = [
        Job("paced", course.pair.a.side, run, count, connections=PACED_CONNECTIONS, rate=RATE),
        Job("watch", course.pair.b.side, run, count, seconds=course.effort.seconds, since=await course.reader.mark()),
    ]
    with loads(jobs) as (writer, observer):
        await asyncio.gather(writer.ready(), observer.ready())
        cost.start()
        writer.go()
        report = await writer.report()
        seen = (await observer.report()).seen
        cost.stop()
    await course.prove(run, count)
    cost.add("lag", round_, count, client_s=report.cpu_s)
    since_sent = sorted(1000 * (seen[key] - at) for key, at in report.sent.items())
    since_told = sorted(1000 * max(0.0, seen[key] - at) for key, at in report.acknowledged.items())
    for name, values in (("sent", since_sent), ("acknowledged", since_told)):
        course.add(f"lag.{name}_p50", round_, percentile(values, 0.50))
        course.add(f"lag.{name}_p99", round_, percentile(values, 0.99))
    course.add("lag.rate", round_, count / (report.ended - report.began))


async def catch_up(course: Course, round_: int) -> None:
    run, count, cost = course.run(), course.documents(CATCH_UP_PART), Cost(course)
    halt(course.pair.b)
    try:
        await _written(course, run, count)
    finally:
        cost.start()
        healed = time.monotonic()
        go_on(course.pair.b)
    ended = await visible(course.reader, last_of_batches(run, count))
    cost.stop()
    await course.prove(run, count)
    course.add("catch_up.rate", round_, count / (ended - healed))
    cost.add("catch_up", round_, count)


async def memory(course: Course, round_: int) -> None:
    """After all that was written before."""
    course.add("memory.a", round_, memory_mib(course.pair.a.root))
    course.add("memory.b", round_, memory_mib(course.pair.b.root))


Section = Callable[[Course, int], Awaitable[None]]
SECTIONS: Mapping[str, Section] = {
    "batches": batches,
    "singles": singles,
    "lag": lag,
    "catch_up": catch_up,
    "memory": memory,
}
WIRE_PART = 0.1


async def wire(product: Product, folder: Path, effort: Effort, results: Results) -> None:
    """Two regions of their own, with a relay between them that counts."""
    with Relay(folder) as relay:
        async with product.pair(folder, relay.to) as pair:
            reader = client(pair.b.side)
            await reader.open()
            course = Course(product, pair, effort, results, reader)
            for round_ in range(effort.rounds):
                run, count = course.run(), course.documents(WIRE_PART)
                before = relay.bytes
                await _written(course, run, count)
                await visible(reader, last_of_batches(run, count))
                await course.prove(run, count)
                course.add("wire.bytes", round_, (relay.bytes - before) / count)
            await reader.close()
