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
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from config.file_changes import LOOK_EVERY_S, Watch
from config.loader import load_file
from config.models.residency import Audit as AuditOptions
from gateway.admission.table import Table
from gateway.core.snapshot import RoutingSnapshot, build_snapshot
from gateway.messages import EndpointCount, EndpointState, OperatorState, Report, ResolvedEndpoint
from health.core.probe import ProbeResult, ProbeTarget
from health.core.region import RegionVerdict
from health.core.service import ServiceVerdict
from health.core.verdict import EndpointVerdict
from health.discovery.names import Names
from health.targets import bounds, names, targets
from tidegate.node import capacity_parts, nodes, shared_limits
from tidegate.node.agreement import Agreement
from tidegate.node.configuration import Attempt, Configuration, Load
from tidegate.node.core.census_of_sessions import CensusOfSessions, cookie_ages
from tidegate.node.data_side import DataSide
from tidegate.node.disk import Disk, SavedVerdicts, found_names, usable_verdicts
from tidegate.node.failing_over import FailingOver
from tidegate.node.freshness import Freshness
from tidegate.node.journal import Journal, Lines
from tidegate.node.lifeline import Processes
from tidegate.node.logs import Log
from tidegate.node.operations import Operations
from tidegate.node.outliers import SuccessRates
from tidegate.node.peers import Peers
from tidegate.node.plan import NodePlan
from tidegate.node.pointing import Pointing
from tidegate.node.publisher import Publisher, View
from tidegate.node.saving import Saving
from tidegate.node.startup import Chosen
from tidegate.node.sync_watch import SyncWatch
from tidegate.node.tasks import Tasks
from tidegate.node.totals import Totals
from tidegate.node.write_leases import WriteLeases

if TYPE_CHECKING:
    from gateway.dataplane import Audit

PROBLEMS_AUDITED = 5
"""Of a refused configuration; its log line has all."""


class Prober(Protocol):
    """What control needs of `health.prober.Prober`."""

    def reconcile(self, targets: Sequence[ProbeTarget]) -> None: ...
    def restore(self, saved: Mapping[str, EndpointVerdict]) -> None: ...
    def suspect(self, endpoint: str) -> None: ...
    async def run(self) -> None: ...
    def endpoints(self) -> Mapping[str, EndpointVerdict]: ...
    def regions(self) -> Mapping[str, RegionVerdict]: ...
    def services(self) -> Mapping[str, ServiceVerdict]: ...
    def region_rtts(self) -> Mapping[str, float]: ...
    def history(self, endpoint: str) -> tuple[ProbeResult, ...]: ...


class Control:
    """One control process's knowledge and work."""

    limits: Table | None = None
    """What the workers count rate limits in."""
    snapshot: RoutingSnapshot | None = None
    """What data planes route by; for `explain`."""
    processes: Processes | None = None
    """As the supervisor last told; None in one process."""
    has_served_data = False
    """Whether the data was served at any time since this control process runs."""
    is_draining = False
    is_orphan = False

    def __init__(
        self,
        *,
        plan: NodePlan,
        chosen: Chosen,
        disk: Disk,
        environ: Mapping[str, str],
        make_prober: Callable[[Callable[[], None]], Prober],
        make_names: Callable[[Callable[[], None]], Names],
        clock: Callable[[], float],
        wall: Callable[[], float],
        log: Log,
        tasks: Tasks,
        agreement: Agreement,
        data: DataSide,
        lines: Lines,
        audit: Audit,
        may_open: int | None = None,
        load: Load = load_file,
    ) -> None:
        """`lines` keep the journal, `audit` this process's part of the audit log.

        A process may have `may_open` files open, None is without limit.
        """
        self.plan, self.data, self.audit = plan, data, audit
        self.configuration = Configuration(
            chosen.loaded,
            degraded=chosen.degraded,
            wall=wall,
            workers=plan.workers,
            may_open=may_open,
            environ=environ,
            load=load,
        )
        self.agreement = agreement
        self.state = agreement.state
        """What all nodes agree on."""
        self.local_state = agreement.local_state
        """What only this node knows and keeps."""
        self.leadership = agreement.leadership
        self.totals = Totals()
        self.operator: Mapping[str, OperatorState] = {}
        """Orders of people by endpoint id; whoever sets it anew calls `publisher.changed()`."""
        self.started_at = wall()
        self.clock = clock
        """Monotonic seconds."""
        self.wall = self._wall = wall
        self.log = self._log = log
        self.success_rates = SuccessRates()
        self.success_rates.adopt(chosen.loaded.config, now=clock())
        self.sessions = CensusOfSessions(cookie_ages(chosen.loaded.config))
        self._environ, self._tasks = environ, tasks
        self._reloading = asyncio.Lock()
        self._watch = Watch([plan.config_file])
        self.prober = make_prober(self._verdict_changed)
        self.names = make_names(self._names_changed)
        self.saving = Saving(self, disk)
        saved = disk.verdicts()
        self.publisher = self._make_publisher(saved)
        self.replicas, self.freshness = SyncWatch(self), Freshness(self)
        self.operations, self.failing_over = Operations(self), FailingOver(self)
        self.pointing, self.write_leases = Pointing(self, environ=environ), WriteLeases(self, agreement, tasks)
        self.journal = Journal(lines, audit=audit, node=plan.node_id, state=self.state, wall=wall, log=log)
        self._begin_with(saved)

    def _make_publisher(self, saved: SavedVerdicts | None) -> Publisher:
        return Publisher(
            first_version=saved.version + 1 if saved else 1,
            view=self._view,
            on_published=self._published,
            on_report=self._heard,
            clock=self.clock,
            log=self.log,
        )

    def _begin_with(self, saved: SavedVerdicts | None) -> None:
        """What was known when this node last ran."""
        self.prober.restore(usable_verdicts(saved, self._log))
        self.names.restore(found_names(saved))
        self._reconcile()
        self._keep_audit()

    @property
    def peers(self) -> Peers | None:
        return self.agreement.peers

    @property
    def run(self) -> str:
        """This run of this node."""
        return self.agreement.run

    def start(self) -> None:
        """Publish what is known, then keep it true."""
        if self.configuration.degraded:
            self._log.problem("degraded", reason=self.configuration.degraded)
        for warning in self.configuration.loaded.warnings:
            self._log.warning("configuration", problem=str(warning))
        self.operations.refresh()
        self.operations.apply()
        self.publisher.publish()
        self._tasks.keep("operations", self.operations.run)
        self.agreement.start(self._tasks)
        self._tasks.keep("announcing", self._announce)
        self._tasks.keep("data", self.replicas.run)
        self._tasks.keep("freshness", self.freshness.run)
        self._tasks.keep("failing over", self.failing_over.run)
        self._tasks.keep("pointing", self.pointing.run)
        self._tasks.keep("write leases", self.write_leases.run)
        self._tasks.keep("prober", self.prober.run)
        self._tasks.keep("names", self.names.run)
        self._tasks.keep("publisher", self.publisher.run)
        self._tasks.keep("file watch", self._watch_file)
        self._tasks.keep("signing keys", partial(self.configuration.follow_keys, self.publisher.changed))
        self._tasks.keep("saving", self.saving.run)
        self._tasks.start("save the configuration", self.saving.configuration)

    # Configuration

    async def reload(self, why: str) -> Attempt:
        """Read the file again. A file that says the same, or nothing usable, changes nothing learnt."""
        async with self._reloading:
            self._watch.read_now()
            attempt = await self.configuration.reload(Path(self.plan.config_file), environ=self._environ)
            if attempt.changed:
                self._reconcile()
                self.success_rates.adopt(self.configuration.loaded.config, now=self.clock())
                self.sessions.adopt(cookie_ages(self.configuration.loaded.config))
                self.totals.keep_endpoints(set(self.prober.endpoints()))
                self.publisher.changed()
                self._keep_audit()
                self._log.info("configuration adopted", why=why, digest=self.configuration.loaded.digest)
                await self.saving.configuration()
            elif attempt.ok:
                self._log.info("configuration unchanged", why=why)
            else:
                self._log.problem("configuration refused, the old one stays", why=why, problems=list(attempt.problems))
            if attempt.changed or not attempt.ok:
                self._audit_reload(attempt, why)
        return attempt

    def _keep_audit(self) -> None:
        """As long as the configuration in force says, also where it says nothing of it."""
        options = self.configuration.loaded.config.residency.audit or AuditOptions()
        self.audit.retention_s = options.retention

    def _audit_reload(self, attempt: Attempt, why: str) -> None:
        """Who wrote the file is known to its file system only."""
        digest = self.configuration.loaded.digest
        self.audit.write(
            {
                "kind": "configuration",
                "action": "reload",
                "target": self.plan.config_file,
                "author": "file",
                "reason": why,
                "outcome": "done" if attempt.ok else "refused",
                "detail": digest if attempt.ok else "; ".join(attempt.problems[:PROBLEMS_AUDITED]),
            }
        )

    def _reconcile(self) -> None:
        """Look up the names, and probe the endpoints, of the configuration in force."""
        config = self.configuration.loaded.config
        self.names.reconcile(list(names(config)), resolvers=config.discovery.resolvers, bounds=bounds(config))
        self.prober.reconcile(targets(config, self.names.found()))
        self.operations.apply()

    async def _watch_file(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if await asyncio.to_thread(self._watch.has_changed):
                await self.reload("the file changed")

    # Publications and reports

    def _verdict_changed(self) -> None:
        self.publisher.changed()

    def _names_changed(self) -> None:
        """Somebody else stands behind a name; what is known of the others stays."""
        self.prober.reconcile(targets(self.configuration.loaded.config, self.names.found()))
        self.totals.keep_endpoints(set(self.prober.endpoints()))
        self.operations.apply()
        self.publisher.changed()

    def resolved(self) -> dict[str, tuple[ResolvedEndpoint, ...]]:
        return {
            key: tuple(ResolvedEndpoint(one.host, one.port, one.name, one.weight, one.priority) for one in found)
            for key, found in self.names.found().items()
        }

    def _view(self) -> View:
        verdicts = self.prober.endpoints()
        return View(
            config_digest=self.configuration.loaded.digest,
            config=self.configuration.as_json,
            endpoints=self.operations.verdicts(
                {name: EndpointState(verdict.health, verdict.reason) for name, verdict in verdicts.items()}
            ),
            region_rtts=self.prober.region_rtts(),
            operator=self.operator,
            resolved=self.resolved(),
            ejected=self.success_rates.until(self.clock()),
        )

    def _published(self, version: int, view: View) -> None:
        before = self.snapshot
        self.snapshot = build_snapshot(
            self.configuration.routing,
            version=version,
            endpoints=view.endpoints,
            region_rtts=view.region_rtts,
            operator=view.operator,
            previous=before,
            resolved=view.resolved,
            replicas=self.freshness.replicas,
        )
        self.operations.published(version, view.operator)
        self.saving.changed()

    def _heard(self, report: Report) -> None:
        self.totals.add(report)
        self.sessions.add(report.sessions_level, report.sessions, now=self.clock())
        for count in report.endpoints:
            if count.connect_failures or count.failures:
                self.prober.suspect(count.endpoint)
        self.success_rates.add(report)
        if self.success_rates.look(self.clock()):
            self.publisher.changed()

    # Among other nodes

    async def _announce(self) -> None:
        """Say who this node is and how it is doing, as long as it is."""
        while True:
            self.state.announce(nodes.KIND, self.plan.node_id, nodes.announcement(self), ttl_s=nodes.TTL_S)
            self.publisher.share(capacity_parts.parts(self))
            await asyncio.sleep(nodes.EVERY_S)

    async def close(self) -> None:
        """At the end, when nothing runs any more."""
        self.saving.verdicts()
        self.journal.close()
        self.audit.close()
        await self.data.close()
        await self.agreement.close()

    # What people ask

    def told(self, processes: Processes) -> None:
        """The supervisor says how the processes of this node are."""
        self.processes = processes
        if self.serves_data():
            self.has_served_data = True

    def serves_data(self) -> bool:
        """Whether the sync process can do its work, as far as the supervisor knows."""
        children = self.processes.children if self.processes is not None else []
        return any(child.role == "sync" and child.ready for child in children)

    def degraded(self) -> list[str]:
        """Why this node, though it serves, is not as it should be."""
        reasons = [self.configuration.degraded] if self.configuration.degraded else []
        if self.is_orphan:
            reasons.append("the supervisor is gone: nothing restarts a process that dies; run `tidegate serve` again")
        missing = sorted(set(range(max(1, self.plan.workers))) - self.serving())
        reasons += nodes.disagreements(self) + shared_limits.sentences(self)
        if self.pointing.problem is not None:
            reasons.append(f"the name in the DNS could not be moved: {self.pointing.problem}")
        if self.has_served_data and self.processes is not None and not self.serves_data() and not self.is_draining:
            reasons.append("the process that serves the data is not there; it is started again")
        if lost := self.audit_lost():
            reasons.append(f"audit records lost since the start: {lost}; is the disk full?")
        if missing and not self.is_draining:
            reasons.append(f"data planes not serving: {', '.join(map(str, missing))} of {max(1, self.plan.workers)}")
        return reasons

    def audit_lost(self) -> int:
        """Records that no disk took: the data planes' and this process's."""
        return self.totals.audit_lost + self.audit.lost

    def held_back(self) -> dict[str, list[EndpointCount]]:
        """By endpoint, what the data planes that hold it back said last."""
        held: dict[str, list[EndpointCount]] = {}
        for session in self.publisher.sessions.values():
            for count in session.report.endpoints if session.report else ():
                if count.held:
                    held.setdefault(count.endpoint, []).append(count)
        return held

    def starting(self) -> dict[str, float]:
        """Endpoints in slow start, and the smallest share of their weight that a data plane gives them."""
        shares: dict[str, float] = {}
        for session in self.publisher.sessions.values():
            for count in session.report.endpoints if session.report else ():
                if count.share < 1.0:
                    shares[count.endpoint] = min(count.share, shares.get(count.endpoint, 1.0))
        return shares

    def serving(self) -> set[int]:
        """Slots whose data plane has reported a snapshot in force."""
        sessions = self.publisher.sessions.items()
        return {slot for slot, session in sessions if session.report and session.report.version is not None}
