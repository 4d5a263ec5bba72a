"""Encrypted copies of the data, by the calendar or by order: `disaster_recovery.backup`.

    <path>/<moment>-<region>-<store>/<class>.backup     one folder a backup, one file a residency class

Each region backs up what it holds, to its own folder: no class leaves a region by its backup. A folder has its final
name once everything in it is durable. Backups older than `retention` are removed, the newest one never.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from cronsim import CronSim

from config.models import Config
from config.models.failover import Backup
from config.secrets import resolve
from sync.backup import FORMAT, SALT_BYTES, Head, seal
from sync.core.dots import region_of, store_of
from sync.errors import SyncError
from sync.sqlite import backup
from sync.sqlite.store import SqliteStore
from sync.store import Store
from tidegate.node.logs import Log

SUFFIX: Final = ".backup"
PARTIAL: Final = ".partial"
STAMP: Final = "%Y%m%dT%H%M%SZ"
OWN_TOOLS: Final = (
    "data in PostgreSQL is backed up and restored by the database's own tools: pg_basebackup, and archived WAL to come"
    " back to a moment (docs/postgresql.md)"
)
_FOLDER: Final = re.compile(r"(\d{8}T\d{6}Z)-([a-z0-9_-]+)-([a-z0-9]+)", re.ASCII)
LOOK_EVERY_S: Final = 30.0
"""At the calendar: a suspended machine or a clock that is set is noticed within."""


class BackupReport(msgspec.Struct, frozen=True):
    """A backup that is done."""

    folder: str
    made_at: float
    seconds: float
    bytes: int
    classes: list[str]
    removed: list[str]
    """Older backups that went."""


class BackupState(msgspec.Struct):
    """How it goes, for people."""

    running: bool = False
    residency_class: str = ""
    done: int = 0
    of: int = 0
    """Bytes of the class that is being written."""
    classes_done: int = 0
    classes: int = 0
    last: BackupReport | None = None
    problem: str = ""
    """Why the latest one failed; empty when it did not."""
    next_at: float | None = None


class BackupFailed(Exception):
    """Says why. What was half done is removed."""


class Backups:
    """One store's."""

    def __init__(
        self, store: SqliteStore, settings: Backup, *, key: bytes, log: Log, wall: Callable[[], float]
    ) -> None:
        self._store = store
        self._settings = settings
        self._key = key
        self._log = log
        self._wall = wall
        self._running = asyncio.Lock()
        self.state = BackupState()

    async def keep(self) -> None:
        """By the calendar, for ever."""
        while True:
            moment = next(CronSim(self._settings.schedule, datetime.fromtimestamp(self._wall(), tz=UTC))).timestamp()
            self.state.next_at = moment
            while self._wall() < moment:  # noqa: ASYNC110 - the calendar has no event to wait for
                await asyncio.sleep(min(LOOK_EVERY_S, max(0.1, moment - self._wall())))
            try:
                await self.run()
            except BackupFailed:
                continue  # it is logged, and the state says it; the next moment comes

    async def run(self) -> BackupReport:
        """Back up everything now; one at a time. Raises BackupFailed."""
        async with self._running:
            self.state = BackupState(running=True, last=self.state.last, next_at=self.state.next_at)
            try:
                report = await asyncio.to_thread(self._run)
            except (OSError, SyncError) as error:
                self.state.running, self.state.problem = False, str(error)
                self._log.problem("the backup failed", because=str(error))
                raise BackupFailed(str(error)) from error
            self.state.running, self.state.last = False, report
            self._log.info("backed up", folder=report.folder, bytes=report.bytes, classes=report.classes)
            return report

    def _run(self) -> BackupReport:
        began, made_at = time.monotonic(), self._wall()
        paths = self._store.paths()
        if not paths:
            raise BackupFailed("no class of data can be served here, so there is nothing to back up")
        member = store_of(self._store.origin(self._store.streams()[0]))
        name = f"{datetime.fromtimestamp(made_at, tz=UTC).strftime(STAMP)}-{member.replace(':', '-')}"
        root = Path(self._settings.path)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial, final = root / (name + PARTIAL), root / name
        _clear(partial)
        partial.mkdir(mode=0o700)
        self.state.classes = len(paths)
        size = 0
        try:
            for residency_class, path in sorted(paths.items()):
                self.state.residency_class, self.state.done, self.state.of = residency_class, 0, 0
                size += self._copy(residency_class, path, partial, member, made_at)
                self.state.classes_done += 1
            _sync_folder(partial)
            partial.rename(final)
            _sync_folder(root)
        except BaseException:
            _clear(partial)
            raise
        removed = self._remove_old(member, made_at)
        return BackupReport(str(final), made_at, time.monotonic() - began, size, sorted(paths), removed)

    def _copy(self, residency_class: str, path: Path, folder: Path, member: str, made_at: float) -> int:
        """One class; the size of its file."""
        copied = path.with_name(f".backup-{residency_class}.db")
        copied.unlink(missing_ok=True)
        try:
            backup.copy(path, copied)
            head = Head(
                format=FORMAT,
                region=region_of(member),
                store=member,
                residency_class=residency_class,
                made_at=made_at,
                size=copied.stat().st_size,
                salt=os.urandom(SALT_BYTES),
                streams=backup.figures(copied),
            )
            target = folder / (residency_class + SUFFIX)
            seal(copied, target, head=head, key=self._key, progress=self._show)
            return target.stat().st_size
        finally:
            copied.unlink(missing_ok=True)

    def _show(self, done: int, of: int) -> None:
        self.state.done, self.state.of = done, of

    def _remove_old(self, member: str, now: float) -> list[str]:
        mine = []
        for folder in Path(self._settings.path).iterdir():
            named = _FOLDER.fullmatch(folder.name)
            if named is not None and f"{named[2]}:{named[3]}" == member:
                made_at = datetime.strptime(named[1], STAMP).replace(tzinfo=UTC).timestamp()
                mine.append((made_at, folder))
        mine.sort()
        old = [folder for made_at, folder in mine[:-1] if now - made_at > self._settings.retention]
        for folder in old:
            _clear(folder)
        return [folder.name for folder in old]


def make_backups(
    config: Config, store: Store, *, environ: Mapping[str, str], log: Log, wall: Callable[[], float]
) -> Backups | None:
    """None where the configuration has none, and for data in a database. Raises SecretUnavailable."""
    settings = None if config.disaster_recovery is None else config.disaster_recovery.backup
    if settings is None:
        return None
    if not isinstance(store, SqliteStore):
        log.warning("disaster_recovery.backup does not reach the data", because=OWN_TOOLS)
        return None
    key = resolve(settings.encryption_key, environ=environ)
    return Backups(store, settings, key=key, log=log, wall=wall)


def as_document(state: BackupState) -> dict[str, Any]:
    """For the admin API."""
    document: dict[str, Any] = msgspec.to_builtins(state)
    return document


def _clear(folder: Path) -> None:
    """Remove a backup's folder: our own files, and nothing that somebody put beside them."""
    if not folder.is_dir():
        return
    for file in folder.glob(f"*{SUFFIX}"):
        file.unlink()
    folder.rmdir()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
