"""The data room, wired: keys, plans, store, data API and its socket, and the chores that keep it small.

    config ──plans──> a store ──> Records ──> DataServer on data_dir/sync.sock

Used by the sync process, and by the one process of a small node. Where there are peers, replication runs beside it
(tidegate/node/replication.py) and says what a write has reached, in place of what a store alone can say.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from config.core.residency import compile_policy
from config.mesh_keys import mesh_signer
from config.models import Config, PostgresStore
from config.models.failover import Backup, DisasterRecovery
from gateway.core.data_service import SOCKET
from gateway.keyring import Keyring
from health.election import boot_time
from sync.api.front import Front
from sync.api.primary import Answered, Carried, PrimaryGate, PrimaryUnreachable
from sync.api.records import Confirm, Reached, Records
from sync.api.server import DataServer
from sync.core.dots import Dot
from sync.core.levels import Durability
from sync.core.plans import CollectionPlan, compile_plans
from sync.core.primacy import Primacy
from sync.errors import StoreUnavailable
from sync.resolving.merging import Merging
from sync.resolving.resolver import Resolver
from tidegate.node.backups import make_backups
from tidegate.node.data_clock import DataClock
from tidegate.node.data_operator import DataOperator
from tidegate.node.data_store import FOLDER, make_data_store
from tidegate.node.data_upkeep import DataUpkeep
from tidegate.node.handover import DataDirSockets
from tidegate.node.logs import Log
from tidegate.node.replication import Replication
from tidegate.node.sync_status import SyncStatus
from tidegate.node.taking_over import take_over
from tidegate.node.tasks import Tasks
from tidegate.node.wall import wall

LOCK: Final = "lock"
LOCK_WAIT_S: Final = 60.0
LOCK_POLL_S: Final = 0.05
CHORES_EVERY_S: Final = 30.0
AGREEMENTS_EVERY_S: Final = 1.0
TAKE_UP_EVERY_S: Final = 1.0
"""Between tries to begin replication with a store that went away again."""
KEEP_FOR_FEEDS: Final = 100_000
"""Operations that stay in the log for clients' cursors though every store has seen them."""


class RoomLocked(Exception):
    """Another process holds the store, and did not let go."""


@dataclass(frozen=True, slots=True)
class Alone:
    """What a write has reached where nobody else holds the data."""

    durability: Durability = "local"


async def alone(stream: str, dot: Dot, wanted: Durability, *, timeout_s: float) -> Reached:
    """Without replication nobody else will ever confirm, and there is nothing to wait for."""
    return Alone()


class DataRoom:
    """One process's. Open it once."""

    def __init__(
        self,
        config: Config,
        *,
        environ: Mapping[str, str],
        directory: DataDirSockets,
        log: Log,
        tasks: Tasks,
        folder: Path,
    ) -> None:
        """`folder`: the configuration's, where functions it names are looked for.

        Raises SecretUnavailable, KeysUnusable, CertificateUnusable or OSError.
        """
        if config.sync is None or config.node.region is None:
            raise ValueError("a data room without `sync`, or without a region")
        self._config = config
        self._sync = config.sync
        self._directory = directory
        self._log = log
        self._tasks = tasks
        self._keyring = Keyring(self._keys_changed, make=partial(mesh_signer, environ=environ))
        self._keyring.adopt(self._keyring.load(config))
        self._plans = compile_plans(config, now=wall())
        self._plans_end_at = compile_policy(config).changes_after(wall())
        self._clock = DataClock(max_skew_s=config.sync.max_clock_skew, log=log)
        self._kept = make_data_store(config, self._plans, environ=environ, report=log.warning)
        self.store = self._kept.store
        resolvers = {
            plan.name: Resolver(plan.resolver, folder=folder, now=time.monotonic)
            for plan in self._plans.values()
            if plan.resolver is not None and plan.is_here
        }
        self._merging = Merging(resolvers, now=time.monotonic, say=log.problem)
        self._status = SyncStatus(self.store)
        self._replication = self._status.replication = self._make_replication(environ)
        confirm: Confirm = alone if self._replication is None else self._replication.confirm
        self.records = Records(
            self.store,
            self._plans,
            signer=self._keyring.signer,
            confirm=confirm,
            wall=self._clock.wall,
            max_value=config.sync.max_value,
            ack_timeout_s=config.sync.ack_timeout,
            merging=self._merging,
            barrier=None if self._replication is None else self._replication.pass_barrier,
            primary=self._make_gate(),
        )
        self.server = DataServer(self.records, report=log.problem)
        self._operator = DataOperator(
            self.records,
            self.server,
            replication=lambda: self._replication if self._is_taken_up else None,
            faults=lambda: self.store.faults,
            status=self._status,
            directory=directory,
            log=log,
        )
        self._backups = make_backups(config, self.store, environ=environ, log=log, wall=wall)
        self._operator.answers |= self._make_upkeep().answers
        self._is_taken_up = False
        self._front = Front(self.server)

    def _make_upkeep(self) -> DataUpkeep:
        return DataUpkeep(
            replication=lambda: self._replication,
            backups=self._backups,
            tasks=self._tasks,
            is_in_database=isinstance(self._config.stores.data, PostgresStore),
        )

    def _make_gate(self) -> PrimaryGate:
        """To the collections of which one region takes the writes."""
        replication = self._replication
        objectives = self._config.disaster_recovery or DisasterRecovery()

        async def unreachable(region: str, asked: Carried) -> Answered:
            raise PrimaryUnreachable("without `peer` no other region can be asked")

        async def alone_written(stream: str) -> tuple[int, Mapping[str, int]]:
            return 0, {}

        return PrimaryGate(
            Primacy(self._config.node.region or "", rpo_s=objectives.rpo),
            boot=boot_time,
            now=time.monotonic,
            carry=unreachable if replication is None else replication.carry,
            confirmed=alone_written if replication is None else replication.written,
        )

    async def _take_over(self) -> None:
        gate = self.records.primary
        if gate is not None and self._config.node.region is not None:
            await take_over(
                gate.primacy,
                self._plans,
                region=self._config.node.region,
                barrier=None if self._replication is None else self._replication.pass_barrier,
                boot=boot_time,
                say=self._log.info,
            )

    def _make_replication(self, environ: Mapping[str, str]) -> Replication | None:
        """None where nobody else can be asked."""
        if self._config.peer is None:
            return None
        return Replication(
            self._config,
            self.store,
            self._plans,
            signer=self._keyring.signer,
            environ=environ,
            directory=self._directory,
            log=self._log,
            tasks=self._tasks,
            clock=self._clock,
            on_confirmed=self._status.moved,
            versions=self._merging,
        )

    async def open(self) -> None:
        """Serve."""
        await self._front.start(self._directory.listen(SOCKET))
        await self._operator.open()
        self._kept.start(self._tasks.keep)
        if self._kept.is_immediate:
            await self._take_up()
        else:
            self._tasks.keep("take up the data when it can be reached", self._take_up)
        self._tasks.keep("agreements", self._mind_agreements)
        self._tasks.keep("signing keys", self._keyring.run)

    def _keys_changed(self) -> None:
        self.records.signer = self._keyring.signer
        if self._replication is not None:
            self._replication.adopt(self._keyring.signer)

    async def _take_up(self) -> None:
        """What needs the store open. Until then the data API says that it is not."""
        await self._kept.opened()
        while True:
            if await self._is_replicating():
                break
            await asyncio.sleep(TAKE_UP_EVERY_S)
        self._is_taken_up = True
        self._status.start(self._tasks)
        self._tasks.start("load resolvers", self._merging.start)
        self._tasks.keep("take over writes", self._take_over)
        self._tasks.keep("prune and expire", self._chores)
        if self._backups is not None:
            self._tasks.keep("back up by the calendar", self._backups.keep)
        self._log.info("data is served", collections=sorted(name for name in self._plans if self._plans[name].is_here))

    async def _is_replicating(self) -> bool:
        """Start it; False when the store went away meanwhile, and nothing was started."""
        if self._replication is None:
            return True
        try:
            await self._replication.start()
        except StoreUnavailable as error:
            self._log.warning("nothing is replicated yet", because=str(error))
            return False
        return True

    async def close(self) -> None:
        """Answer what was asked, then let go of the files."""
        self._directory.remove(SOCKET)
        await self._operator.close()
        if self._replication is not None:
            await self._replication.close()
        await self._front.close(grace_s=self._config.node.shutdown_grace)
        await self._merging.close()
        await self.store.close()

    def would_differ(self, config: Config) -> bool:
        """Whether this configuration asks for another room."""
        plans: Mapping[str, CollectionPlan] = compile_plans(config, now=wall())
        return (plans, *_shaping(config)) != (self._plans, *_shaping(self._config))

    @property
    def is_outdated(self) -> bool:
        """Whether an agreement has ended under which data is held or replicated here."""
        return wall() >= self._plans_end_at and self.would_differ(self._config)

    async def _mind_agreements(self) -> None:
        """Residency goes before replication: it stops when its agreement ends, until the room is made anew."""
        while not self.is_outdated:  # noqa: ASYNC110 - the calendar has no event to wait for
            await asyncio.sleep(AGREEMENTS_EVERY_S)
        if self._replication is not None:
            self._log.problem("an agreement has ended: nothing is replicated until the data room starts again")
            replication, self._replication = self._replication, None
            self._status.replication = None
            await replication.close()
        await asyncio.Event().wait()

    async def _chores(self) -> None:
        while True:
            await asyncio.sleep(CHORES_EVERY_S)
            try:
                await self._forget()
            except StoreUnavailable as error:
                self._log.warning("nothing was pruned or expired", because=str(error))

    async def _forget(self) -> None:
        before = int((wall() - self._sync.conflict_log.max_age) * 1000)
        await self.store.expire(conflicts_before_ms=before, now=wall())
        for stream in self.store.streams():
            if len(self._plans[stream].regions) == 1:
                # Nobody else holds it: what this store has applied, every member has seen.
                heads = await self.store.heads(stream)
                await self.store.prune(stream, heads.applied, keep=KEEP_FOR_FEEDS)


def _shaping(config: Config) -> tuple[object, ...]:
    """What else than the plans makes a room what it is."""
    addresses = [region.peers for region in config.regions]
    return _backup_of(config), config.sync, config.stores.data, config.secrets, config.node, config.peer, addresses


def _backup_of(config: Config) -> Backup | None:
    return None if config.disaster_recovery is None else config.disaster_recovery.backup


async def hold_lock(data_dir: Path, *, log: Log, wait_s: float = LOCK_WAIT_S) -> int:
    """The lock's descriptor, to be kept open. Whoever holds it is told to end. Raises RoomLocked, OSError."""
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    told = 0
    for _ in range(int(wait_s / LOCK_POLL_S)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            if holder.isdecimal() and int(holder) not in {told, os.getpid()}:
                told = int(holder)
                log.warning("another process still holds the store: telling it to end", holder_pid=told)
                _tell_to_end(told)
            await asyncio.sleep(LOCK_POLL_S)
        else:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            return descriptor
    os.close(descriptor)
    raise RoomLocked(f"process {told or 'unknown'} holds {folder / LOCK}, expected it to end within {wait_s:g} s")


def _tell_to_end(pid: int) -> None:
    """It holds the lock, so the pid in it is its own: nobody else can have it meanwhile."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
