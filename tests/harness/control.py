"""A real control over a directory of its own, with a prober whose verdicts a test sets."""

from __future__ import annotations

import asyncio
import json
import random
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.messages import DURATION_BUCKETS_S, Hello, Publication, Report, RouteCount
from health.core.discovery import Answer, LookupFailed, Name
from health.core.probe import ProbeResult, ProbeTarget
from health.core.region import RegionVerdict
from health.core.service import ServiceLedger, ServiceVerdict
from health.core.verdict import EndpointVerdict
from health.discovery.names import Names
from tests.harness.configuration import document
from tidegate.demo.waiting import until
from tidegate.node.agreement import make_agreement
from tidegate.node.audit_log import AuditLog, folder_of
from tidegate.node.channel import memory_pair
from tidegate.node.control import Control
from tidegate.node.data_side import DataSocket
from tidegate.node.disk import Disk
from tidegate.node.journal_files import JournalFiles
from tidegate.node.logs import Log, silent
from tidegate.node.startup import choose, make_plan
from tidegate.node.tasks import Tasks


class SetProber:
    """Verdicts by hand."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.on_change = on_change
        self.targets: list[str] = []
        self.suspected: list[str] = []
        self.restored: Mapping[str, EndpointVerdict] = {}
        self.verdicts: dict[str, EndpointVerdict] = {}
        self.reconciled = 0

    def reconcile(self, targets: Sequence[ProbeTarget]) -> None:
        self.reconciled += 1
        self.targets = [target.endpoint for target in targets]

    def restore(self, saved: Mapping[str, EndpointVerdict]) -> None:
        self.restored = saved

    def suspect(self, endpoint: str) -> None:
        self.suspected.append(endpoint)

    async def run(self) -> None:
        await asyncio.Event().wait()

    def endpoints(self) -> Mapping[str, EndpointVerdict]:
        return self.verdicts

    def regions(self) -> Mapping[str, RegionVerdict]:
        return {"eu": RegionVerdict("eu", "up", 1, 1, "1 of 1 endpoint up", 1.0)}

    def services(self) -> Mapping[str, ServiceVerdict]:
        ledgers: dict[str, ServiceLedger] = {}
        for verdict in self.verdicts.values():
            service = ledgers.setdefault(verdict.service, ServiceLedger(verdict.service, now=1.0))
            service.move(verdict.region, None, verdict.health)
        return {name: service.verdict() for name, service in ledgers.items()}

    def region_rtts(self) -> Mapping[str, float]:
        return {"eu": 0.01}

    def history(self, endpoint: str) -> tuple[ProbeResult, ...]:
        return tuple(last for last in (self.verdicts[endpoint].last,) if last is not None)

    def say(self, endpoint: str, health: Any) -> None:
        service, region, _ = endpoint.split("/")
        self.verdicts[endpoint] = EndpointVerdict(endpoint, service, region, health, "probe", 1.0)
        self.on_change()


class SetResolver:
    """Answers by hand; what is not set is not answered."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []

    async def lookup(self, name: Name) -> Answer:
        self.asked.append(name.host)
        if name.host not in self.answers:
            raise LookupFailed("SERVFAIL from 192.0.2.53")
        return self.answers[name.host]


class House:
    """One control after another over the same directory."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "tidegate.yaml"
        self.document = document()
        self.write()
        self.data_dir = directory / "data"
        self.data_dir.mkdir()
        self.disk = Disk(self.data_dir, silent())
        self.lines: list[dict[str, Any]] = []
        self.tasks = Tasks(Log(self.lines.append))
        self.environ: dict[str, str] = {}
        self.prober: SetProber
        self.resolver = SetResolver()

    def write(self) -> None:
        self.file.write_text(json.dumps(self.document))

    def control(self) -> Control:
        chosen = choose(self.file, disk=self.disk, environ=self.environ)

        def make_prober(on_change: Callable[[], None]) -> SetProber:
            self.prober = SetProber(on_change)
            return self.prober

        def make_names(on_change: Callable[[], None]) -> Names:
            return Names(
                on_change=on_change,
                rng=random.Random(1),
                wall=lambda: 100.0,
                clock=asyncio.get_running_loop().time,
                make_resolver=lambda _: self.resolver,
            )

        made = Control(
            plan=make_plan(chosen.loaded),
            chosen=chosen,
            disk=self.disk,
            environ=self.environ,
            make_prober=make_prober,
            make_names=make_names,
            clock=asyncio.get_running_loop().time,
            wall=lambda: 100.0,
            log=Log(self.lines.append),
            tasks=self.tasks,
            agreement=make_agreement(chosen.loaded.config, environ=self.environ, log=Log(self.lines.append)),
            data=DataSocket(self.data_dir),
            lines=JournalFiles(self.data_dir),
            audit=AuditLog(
                folder_of(str(self.data_dir)), node_id="gw1", wall=lambda: 100.0, loop=asyncio.get_running_loop()
            ),
        )
        made.start()
        return made


async def connect(house: House, control: Control, slot: int, report: Report | None = None) -> None:
    """A data plane that routes by what it is sent, and says so."""
    ours, theirs = memory_pair()
    house.tasks.start(f"session {slot}", lambda: control.publisher.serve(theirs))
    await ours.send(Hello(slot, 1000 + slot))
    publication = await ours.receive()
    assert isinstance(publication, Publication)
    await ours.send(report or Report(publication.version, 3, 1, [], []))

    def has_reported() -> bool:
        session = control.publisher.sessions.get(slot)
        return session is not None and session.report is not None

    await until(has_reported, within_s=5, what="the report is heard", every_s=0)


def follow(house: House, control: Control, slot: int) -> None:
    """A data plane without traffic that routes by whatever it is sent, and says so each time."""
    ours, theirs = memory_pair()
    house.tasks.start(f"session {slot}", lambda: control.publisher.serve(theirs))

    async def routing() -> None:
        await ours.send(Hello(slot, 1000 + slot))
        while True:
            message = await ours.receive()
            if isinstance(message, Publication):
                await ours.send(Report(message.version, 0, 0, [], []))

    house.tasks.start(f"data plane {slot}", routing)


def routes(count: int, *, status: int = 200, seconds: float = 0.01) -> RouteCount:
    """So many equal answers."""
    buckets = [0] * (len(DURATION_BUCKETS_S) + 1)
    buckets[bisect_left(DURATION_BUCKETS_S, seconds)] = count
    return RouteCount("api", "eu", status, "", count, seconds * count, buckets)
