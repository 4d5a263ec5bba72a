"""The control side of a node: configuration + verdicts -> publications; reports -> totals; all of it -> disk.

    file, SIGHUP --> Configuration --targets--> Prober --verdicts--+
                          |                                        v
                          +-------------------------------->  Publisher  --> data planes
                                                                   |
    data planes --reports--> Totals                                +--> disk (last good text, verdicts, version)

It may die at any time: data planes serve on, and the next one starts from the file or the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from gateway.core.snapshot import RoutingSnapshot, build_snapshot
from gateway.messages import EndpointState, Report
from health.core.probe import ProbeTarget
from health.core.region import RegionVerdict
from health.core.verdict import EndpointVerdict, from_saved, to_saved
from health.targets import targets
from tidegate.node.configuration import Attempt, Configuration
from tidegate.node.disk import Disk, LastGood, SavedVerdicts
from tidegate.node.lifeline import Processes
from tidegate.node.logs import Log
from tidegate.node.plan import NodePlan
from tidegate.node.publisher import Publisher, View
from tidegate.node.startup import Chosen
from tidegate.node.tasks import Tasks
from tidegate.node.totals import Totals
from tidegate.node.watch import EVERY_S, Watch

SAVE_EVERY_S = 1.0
"""Verdicts go to the disk this often, changed or not: a restart resumes only what was known to be true of late."""


class Prober(Protocol):
    """What control needs of `health.prober.Prober`."""

    def reconcile(self, targets: Sequence[ProbeTarget]) -> None: ...
    def restore(self, saved: Mapping[str, EndpointVerdict]) -> None: ...
    async def run(self) -> None: ...
    def endpoints(self) -> Mapping[str, EndpointVerdict]: ...
    def regions(self) -> Mapping[str, RegionVerdict]: ...
    def region_rtts(self) -> Mapping[str, float]: ...


class Control:
    """One control process's knowledge and work."""

    def __init__(
        self,
        *,
        plan: NodePlan,
        chosen: Chosen,
        disk: Disk,
        environ: Mapping[str, str],
        make_prober: Callable[[Callable[[], None]], Prober],
        clock: Callable[[], float],
        wall: Callable[[], float],
        log: Log,
        tasks: Tasks,
        may_open: int | None = None,
    ) -> None:
        """`may_open` files is what a process of this node may have open; None is without limit."""
        self.plan = plan
        self.configuration = Configuration(
            chosen.loaded, degraded=chosen.degraded, wall=wall, workers=plan.workers, may_open=may_open
        )
        self.totals = Totals()
        self.snapshot: RoutingSnapshot | None = None
        """What data planes route by; for `explain`."""
        self.processes: Processes | None = None
        """As the supervisor last told; None in one process."""
        self.is_draining = False
        self.is_orphan = False
        self.started_at = wall()
        self._disk = disk
        self._environ = environ
        self._wall = wall
        self._log = log
        self._tasks = tasks
        self._reloading = asyncio.Lock()
        self._unsaved = asyncio.Event()
        self._watch = Watch(Path(plan.config_file))
        self.prober = make_prober(self._verdict_changed)
        saved = disk.verdicts()
        self.publisher = Publisher(
            first_version=saved.version + 1 if saved else 1,
            view=self._view,
            on_published=self._published,
            on_report=self._heard,
            clock=clock,
            log=log,
        )
        self.prober.restore(_usable(saved, log))
        self.prober.reconcile(targets(chosen.loaded.config))

    def start(self) -> None:
        """Publish what is known, then keep it true."""
        if self.configuration.degraded:
            self._log.problem("degraded", reason=self.configuration.degraded)
        for warning in self.configuration.loaded.warnings:
            self._log.warning("configuration", problem=str(warning))
        self.publisher.publish()
        self._tasks.keep("prober", self.prober.run)
        self._tasks.keep("publisher", self.publisher.run)
        self._tasks.keep("file watch", self._watch_file)
        self._tasks.keep("saving", self._save_what_changed)
        self._tasks.start("save the configuration", self._save_configuration)

    # Configuration

    async def reload(self, why: str) -> Attempt:
        """Read the file again. A file that says the same, or nothing usable, changes nothing learnt."""
        async with self._reloading:
            self._watch.read_now()
            attempt = await self.configuration.reload(Path(self.plan.config_file), environ=self._environ)
            config = self.configuration.loaded.config
            if attempt.changed:
                self.prober.reconcile(targets(config))
                self.totals.keep_endpoints(set(self.prober.endpoints()))
                self.publisher.changed()
                self._log.info("configuration adopted", why=why, digest=self.configuration.loaded.digest)
                await self._save_configuration()
            elif attempt.ok:
                self._log.info("configuration unchanged", why=why)
            else:
                self._log.problem("configuration refused, the old one stays", why=why, problems=list(attempt.problems))
        return attempt

    async def _watch_file(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            if await asyncio.to_thread(self._watch.changed):
                await self.reload("the file changed")

    # Publications and reports

    def _verdict_changed(self) -> None:
        self.publisher.changed()

    def _view(self) -> View:
        verdicts = self.prober.endpoints()
        return View(
            config_digest=self.configuration.loaded.digest,
            config=self.configuration.as_json,
            endpoints={name: EndpointState(verdict.health, verdict.reason) for name, verdict in verdicts.items()},
            region_rtts=self.prober.region_rtts(),
        )

    def _published(self, version: int, view: View) -> None:
        before = self.snapshot
        self.snapshot = build_snapshot(
            self.configuration.routing,
            version=version,
            endpoints=view.endpoints,
            region_rtts=view.region_rtts,
            previous_order=before.latency_order if before else (),
        )
        self._unsaved.set()

    def _heard(self, report: Report) -> None:
        self.totals.add(report)

    # Disk

    async def _save_configuration(self) -> None:
        """What came from the disk is there already."""
        loaded = self.configuration.loaded
        if self.configuration.degraded is not None:
            return
        record = LastGood(self.plan.config_file, loaded.text, loaded.digest, self._wall())
        try:
            await asyncio.to_thread(self._disk.save_last_good, record)
        except OSError as error:
            self._log.problem("cannot keep the configuration for a later start", error=str(error))

    async def _save_what_changed(self) -> None:
        """At a change soon, and else on a beat: a verdict last saved long ago is not resumed, however calm it was."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAVE_EVERY_S):
                    await self._unsaved.wait()
            self._unsaved.clear()
            await asyncio.to_thread(self.save_verdicts, self._saved_verdicts())
            await asyncio.sleep(SAVE_EVERY_S)

    def _saved_verdicts(self) -> SavedVerdicts:
        return SavedVerdicts(
            version=self.publisher.version,
            config_digest=self.configuration.loaded.digest,
            endpoints=to_saved(self.prober.endpoints()),
            region_rtts=dict(self.prober.region_rtts()),
        )

    def save_verdicts(self, record: SavedVerdicts | None = None) -> None:
        """For the next start; a disk that cannot take it is said, and serving goes on."""
        try:
            self._disk.save_verdicts(record or self._saved_verdicts())
        except OSError as error:
            self._log.problem("cannot keep verdicts for a later start", error=str(error))

    # What people ask

    def degraded(self) -> list[str]:
        """Why this node, though it serves, is not as it should be."""
        reasons = [self.configuration.degraded] if self.configuration.degraded else []
        if self.is_orphan:
            reasons.append("the supervisor is gone: nothing restarts a process that dies; run `tidegate serve` again")
        missing = sorted(set(range(max(1, self.plan.workers))) - self.serving())
        if missing and not self.is_draining:
            reasons.append(f"data planes not serving: {', '.join(map(str, missing))} of {max(1, self.plan.workers)}")
        return reasons

    def serving(self) -> set[int]:
        """Slots whose data plane has reported a snapshot in force."""
        sessions = self.publisher.sessions.items()
        return {slot for slot, session in sessions if session.report and session.report.version is not None}


def _usable(saved: SavedVerdicts | None, log: Log) -> Mapping[str, EndpointVerdict]:
    if saved is None:
        return {}
    try:
        return from_saved(saved.endpoints)
    except ValueError as error:
        log.warning("saved verdicts are of no use, starting without", error=str(error))
        return {}
