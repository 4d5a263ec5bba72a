"""Who writes, and who watches? Processes of their own, so that their CPU is theirs, and no product waits for another's.

parent ── Job ──> process: makes documents, opens connections ── ready ──> parent ── go ──> ... ── Report ──> parent

Moments are of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Literal

import uvloop

from bench.sync.client import Client, Side
from bench.sync.documents import Document, batched, documents, key_of
from bench.sync.products import client

READY_WITHIN_S = 60.0
TICK_S = 0.001
SEEN_WITHIN_S = 30.0
"""After the last document was written; what an observer has not seen by then is not coming."""


@dataclass(frozen=True, slots=True)
class Job:
    kind: Literal["batches", "singles", "paced", "watch"]
    side: Side
    run: str
    count: int
    """Documents at most."""
    connections: int = 1
    batch: int = 1
    seconds: float = 0.0
    rate: float = 0.0
    """Documents a second."""
    since: str = ""


@dataclass
class Report:
    began: float = 0.0
    ended: float = 0.0
    cpu_s: float = 0.0
    """Of this process, from `began` to `ended`."""
    written: int = 0
    sent: dict[str, float] = field(default_factory=dict)
    acknowledged: dict[str, float] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    failure: str = ""


class LoadFailed(Exception):
    """Says what a process said before it ended."""


class Load:
    """The process of one job."""

    def __init__(self, job: Job) -> None:
        # Forked from a process that has imported everything once: a start costs milliseconds, not the imports again.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["bench.sync.loads"])
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(job, theirs), daemon=True)
        self._process.start()
        theirs.close()

    async def ready(self) -> None:
        await asyncio.to_thread(self._hear)

    def go(self) -> None:
        self._pipe.send("go")

    async def report(self) -> Report:
        return await asyncio.to_thread(self._hear)

    def _hear(self) -> Report:
        try:
            heard = self._pipe.recv()
        except EOFError as error:
            raise LoadFailed("a load's process ended without a word") from error
        assert isinstance(heard, Report)  # noqa: S101
        if heard.failure:
            raise LoadFailed(heard.failure)
        return heard

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


@contextlib.contextmanager
def loads(jobs: Sequence[Job]) -> Iterator[list[Load]]:
    started: list[Load] = []
    try:
        for job in jobs:
            started.append(Load(job))
        yield started
    finally:
        for load in started:
            load.end()


def _main(job: Job, pipe: Connection) -> None:
    try:
        report = uvloop.run(_work(job, pipe))
    except Exception as error:  # noqa: BLE001 - told to the parent, which raises it
        report = Report(failure=f"{job.kind}: {type(error).__name__}: {error}")
    pipe.send(report)


async def _work(job: Job, pipe: Connection) -> Report:
    written = [] if job.kind == "watch" else documents(job.run, job.count)
    clients = [client(job.side) for _ in range(job.connections)]
    for one in clients:
        await one.open()
    report = Report()
    if job.kind == "watch":
        await _watch(job, clients[0], report, pipe)
    else:
        pipe.send(Report())
        await asyncio.to_thread(pipe.recv)
        report.began, cpu_s = time.monotonic(), time.process_time()
        if job.kind == "batches":
            await _batches(job, clients, written, report)
        elif job.kind == "singles":
            await _singles(job, clients, written, report)
        else:
            await _paced(job, clients, written, report)
        report.ended, report.cpu_s = time.monotonic(), time.process_time() - cpu_s
    for one in clients:
        await one.close()
    return report


async def _batches(job: Job, clients: Sequence[Client], written: Sequence[Document], report: Report) -> None:
    waiting = batched(written, job.batch)

    async def write(one: Client) -> None:
        for batch in waiting:
            await one.put_many(batch)
            report.written += len(batch)

    await asyncio.gather(*(write(one) for one in clients))


async def _singles(job: Job, clients: Sequence[Client], written: Sequence[Document], report: Report) -> None:
    """Documents in their order, so that those that were written are the first `written` of the run."""
    waiting, until = iter(written), report.began + job.seconds

    async def write(one: Client) -> None:
        while time.monotonic() < until:
            document = next(waiting, None)
            if document is None:
                return
            await one.put(document)
            report.written += 1

    await asyncio.gather(*(write(one) for one in clients))


async def _paced(job: Job, clients: Sequence[Client], written: Sequence[Document], report: Report) -> None:
    """Handed over at even intervals, whether or not the product keeps up: one that finds no free connection waits."""
    queue: asyncio.Queue[Document | None] = asyncio.Queue()

    async def write(one: Client) -> None:
        while document := await queue.get():
            await one.put(document)
            report.acknowledged[document.key] = time.monotonic()
            report.written += 1

    async def hand_over() -> None:
        given = 0
        while given < len(written):
            now = time.monotonic()
            due = min(len(written), int((now - report.began) * job.rate) + 1)
            for document in written[given:due]:
                report.sent[document.key] = now
                queue.put_nowait(document)
            given = due
            await asyncio.sleep(TICK_S)
        for _ in clients:
            queue.put_nowait(None)

    await asyncio.gather(hand_over(), *(write(one) for one in clients))


async def _watch(job: Job, one: Client, report: Report, pipe: Connection) -> None:
    """Ready once the product has begun to tell; the parent does not say go."""
    keys = [key_of(job.run, number) for number in range(job.count)]
    cpu_s = time.process_time()
    is_ready = False
    async with asyncio.timeout(job.seconds + SEEN_WITHIN_S):
        async for found in one.watch(keys, job.since):
            now = time.monotonic()
            report.seen.update(dict.fromkeys(found, now))
            if not is_ready:
                is_ready = True
                report.began = now
                pipe.send(Report())
    report.ended, report.cpu_s = time.monotonic(), time.process_time() - cpu_s
