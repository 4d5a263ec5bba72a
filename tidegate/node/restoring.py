"""How is a backup put back, or shown to be one that could be? On the machine itself, with its node stopped.

    all classes are decrypted and verified, every key and value, before anything is touched
    the present files are put aside, never deleted
    the next start begins a new incarnation: what was written after the backup comes back from the peers

A drill does the first step and opens what it got, beside the running store, and says how long it took and how old it
is.
Residency: a backup is put back only in the region that made it, and only classes that this region may hold.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from config.mesh_keys import data_keys
from config.models import Config, PostgresStore
from config.secrets import resolve
from sync.backup import BackupUnusable, Head, read_head, unseal
from sync.cipher import Cipher
from sync.core.plans import CollectionPlan, compile_plans
from sync.errors import SyncError
from sync.sqlite import backup
from sync.sqlite.file import open_file, start_over
from tidegate.node.backups import OWN_TOOLS, STAMP, SUFFIX
from tidegate.node.data_room import LOCK
from tidegate.node.data_store import FOLDER
from tidegate.node.wall import wall

Progress = Callable[[str, str, int, int], None]
"""(residency class, what is done to it, done, of)."""
DRILL: Final = ".drill-"


class RestoreRefused(Exception):
    """By residency, by a running node, or by what was found in the backup; nothing was changed."""


class RestoredClass(msgspec.Struct, frozen=True):
    """One class of a backup, decrypted and verified."""

    residency_class: str
    made_at: float
    keys: int
    values: int
    bytes: int
    seconds: float
    """From the encrypted file to a store that can be opened."""
    put_aside: str | None = None
    """Where the file lies that was there before."""


def restore(config: Config, folder: Path, *, environ: Mapping[str, str], progress: Progress) -> list[RestoredClass]:
    """Put back a backup. Raises RestoreRefused, BackupUnusable, SyncError, SecretUnavailable, KeysUnusable, OSError."""
    data = _data_of(config)
    with _stopped(data), _workshop(data) as shop:
        prepared = _Workbench(config, shop, environ, progress).prepare_all(folder)
        stamp = datetime.fromtimestamp(wall(), tz=UTC).strftime(STAMP)
        return [_put_back(one, data, shop, stamp) for one in prepared]


def drill(config: Config, folder: Path, *, environ: Mapping[str, str], progress: Progress) -> list[RestoredClass]:
    """All but putting it back; the node may run. Raises as `restore` does."""
    with _workshop(_data_of(config)) as shop:
        bench = _Workbench(config, shop, environ, progress)
        return [bench.opened(one) for one in bench.prepare_all(folder)]


def _data_of(config: Config) -> Path:
    data = Path(config.node.data_dir) / FOLDER
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return data


class _Workbench:
    """Where backups become files that a store could open."""

    def __init__(self, config: Config, shop: Path, environ: Mapping[str, str], progress: Progress) -> None:
        recovery = config.disaster_recovery
        if recovery is None or recovery.backup is None:
            raise RestoreRefused("no disaster_recovery.backup in the configuration, expected it: it names the key")
        if config.sync is None or config.node.region is None:
            raise RestoreRefused("no `sync` in the configuration: this node keeps no data")
        if isinstance(config.stores.data, PostgresStore):
            raise RestoreRefused(OWN_TOOLS)
        self._sync = config.sync
        self._region = config.node.region
        self._plans = compile_plans(config, now=wall())
        self._shop = shop
        self._progress = progress
        self._key = resolve(recovery.backup.encryption_key, environ=environ)
        self._data_keys = data_keys(config, environ=environ)

    def prepare_all(self, folder: Path) -> list[RestoredClass]:
        """Decrypt and verify every class of a backup."""
        files = sorted(folder.glob(f"*{SUFFIX}"))
        if not files:
            raise RestoreRefused(f"{folder} holds no backup, expected files that end in {SUFFIX}")
        heads = {file: read_head(file) for file in files}
        for file, head in heads.items():
            self._permit(file, head)
        return [self._prepare(file, head) for file, head in heads.items()]

    def _permit(self, file: Path, head: Head) -> None:
        if head.region != self._region:
            raise RestoreRefused(f"{file.name} was made in {head.region}, expected a backup of {self._region}")
        if not self._plans_of(head.residency_class):
            raise RestoreRefused(f"class {head.residency_class} may not be held in {self._region}")

    def _plans_of(self, residency_class: str) -> dict[str, CollectionPlan]:
        return {
            plan.name: plan for plan in self._plans.values() if plan.residency_class == residency_class and plan.is_here
        }

    def _prepare(self, file: Path, head: Head) -> RestoredClass:
        began, name = time.monotonic(), head.residency_class
        target = self._shop / f"{name}.db"
        unseal(file, target, key=self._key, progress=lambda done, of: self._progress(name, "decrypt", done, of))
        backup.prepare(target)
        found = backup.verify(
            target, self._cipher(name), progress=lambda done, of: self._progress(name, "verify", done, of)
        )
        if found.fault_count:
            raise RestoreRefused(f"{file.name} has {found.fault_count} faults, such as: {'; '.join(found.faults[:3])}")
        seconds = time.monotonic() - began
        return RestoredClass(name, head.made_at, found.keys, found.values, found.bytes, seconds)

    def _cipher(self, residency_class: str) -> Cipher:
        return Cipher(residency_class, self._data_keys, encrypts=False, chance=os.urandom)

    def opened(self, one: RestoredClass) -> RestoredClass:
        """The proof of it: a store opens."""
        began, name = time.monotonic(), one.residency_class
        opened = open_file(
            self._shop / f"{name}.db",
            region=self._region,
            store="drilldrill",
            plans=self._plans_of(name),
            cipher=self._cipher(name),
            max_skew_s=self._sync.max_clock_skew,
            max_conflict_bytes=self._sync.conflict_log.max_bytes,
            chance=os.urandom,
            report=lambda *_, **__: None,
        )
        opened.close()
        return msgspec.structs.replace(one, seconds=one.seconds + time.monotonic() - began)


def _put_back(one: RestoredClass, data: Path, shop: Path, stamp: str) -> RestoredClass:
    path = data / f"{one.residency_class}.db"
    aside = str(start_over(path, suffix=f"before-restore-{stamp}")) if path.exists() else None
    (shop / path.name).rename(path)
    descriptor = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return msgspec.structs.replace(one, put_aside=aside)


@contextmanager
def _stopped(data: Path) -> Iterator[None]:
    """Nobody else holds the store meanwhile. Raises RestoreRefused."""
    descriptor = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RestoreRefused("a node is running on this data; stop it first") from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _workshop(data: Path) -> Iterator[Path]:
    """A folder on the same disk, so that what is in it can be moved into place."""
    shop = Path(tempfile.mkdtemp(prefix=DRILL, dir=data))
    try:
        yield shop
    finally:
        shutil.rmtree(shop, ignore_errors=True)


FAULTS = (RestoreRefused, BackupUnusable, SyncError)
