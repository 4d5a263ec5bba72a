"""What does a region's machine keep when its process dies? In memory, and as easily damaged, copied and lost as wanted.

    data      the clients' data (tests/harness/memory_store.py)     journal    lines
    cells     an acceptor's memory                                  verdicts   what was published last
    state     rows that were agreed on, and those of this node alone, each in a database

All of it is the disk of one machine: full, slow, restored and replaced together. Everything but the data is small and
durable at once.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from health.quorum.cells import CellsUnavailable, Held
from health.state.embedded import prepared
from tests.harness import memory_store
from tidegate.node.disk import Disk, LastGood, SavedVerdicts
from tidegate.node.logs import silent

STATE, LOCAL = "agreed.sqlite", "local.sqlite"


class RegionDisk:
    """One machine's."""

    def __init__(self, data: memory_store.Disk) -> None:
        self.data = data
        self.meta: bytes | None = None
        self.registers: dict[str, bytes] = {}
        self.databases = {name: _database() for name in (STATE, LOCAL)}
        self.lines: list[bytes] = []
        self.verdicts: SavedVerdicts | None = None

    def connect(self, path: Path) -> sqlite3.Connection:
        """The database of that name."""
        return prepared(self.databases[path.name])

    def image(self) -> RegionDisk:
        """A backup, as of now."""
        copy = RegionDisk(self.data.image())
        copy.meta, copy.registers = self.meta, dict(self.registers)
        for name, database in self.databases.items():
            copy.databases[name].deserialize(database.serialize())
        copy.lines, copy.verdicts = list(self.lines), self.verdicts
        return copy

    def damage_cells(self) -> None:
        """A sector of the acceptor's memory is lost, and read as something else."""
        if self.meta is not None:
            self.meta = self.meta[: len(self.meta) // 2]


def _database() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


class Cells:
    """The acceptor's memory, for as long as the disk has room."""

    def __init__(self, disk: Callable[[], RegionDisk]) -> None:
        self._disk = disk

    async def load(self, register: str | None, *, everything: bool) -> Held:
        disk = self._disk()
        if everything:
            return Held(disk.meta, dict(disk.registers))
        found = disk.registers.get(register or "")
        return Held(disk.meta, {} if register is None or found is None else {register: found})

    async def swap(self, expected: bytes | None, meta: bytes, changes: Mapping[str, bytes | None]) -> bool:
        disk = self._disk()
        if disk.data.is_full:
            raise CellsUnavailable("no space left")
        if disk.data.sync_s:
            await asyncio.sleep(disk.data.sync_s)
        if disk.meta != expected:
            return False
        registers = {} if expected is None else dict(disk.registers)
        for name, value in changes.items():
            if value is None:
                registers.pop(name, None)
            else:
                registers[name] = value
        disk.meta, disk.registers = meta, registers
        return True

    async def listen(self, hint: Callable[[], None]) -> None:
        """A file tells nobody."""

    async def close(self) -> None: ...


class Lines:
    """The journal's."""

    def __init__(self, disk: RegionDisk) -> None:
        self._disk = disk

    def append(self, line: bytes) -> None:
        if self._disk.data.is_full:
            raise OSError("no space left")
        self._disk.lines.append(line)

    def read(self) -> Iterable[bytes]:
        return list(self._disk.lines)


class UnreadAudit:
    """Control's part of the audit log: nobody reads it here, the journal says the same."""

    retention_s: float | None = None
    lost = 0

    def write(self, record: Mapping[str, object]) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """There is nothing to close."""


class SavedDisk(Disk):
    """What is kept for the next start."""

    def __init__(self, disk: RegionDisk) -> None:
        super().__init__(Path("data"), silent())
        self._disk = disk

    def last_good(self, file: Path) -> LastGood | None:
        return None  # configurations are read by the simulation

    def save_last_good(self, record: LastGood) -> None:
        self._check()

    def verdicts(self) -> SavedVerdicts | None:
        return self._disk.verdicts

    def save_verdicts(self, record: SavedVerdicts) -> None:
        self._check()
        self._disk.verdicts = record

    def _check(self) -> None:
        if self._disk.data.is_full:
            raise OSError("no space left")
