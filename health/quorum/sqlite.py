"""An acceptor's memory in one SQLite file, committed to the disk (synchronous FULL) before anybody is answered."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from health.quorum.cells import CellsUnavailable, Held

Result = TypeVar("Result")

_SCHEMA = "CREATE TABLE IF NOT EXISTS cells(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
_META = ""
"""No register has an empty name."""


class SqliteCells:
    """Opened at first use; a damaged file is removed, which makes the acceptor one that lost its memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="acceptor")
        self._connection: sqlite3.Connection | None = None

    async def load(self, register: str | None, *, everything: bool) -> Held:
        def read(connection: sqlite3.Connection) -> Held:
            if everything:
                found = dict(connection.execute("SELECT name, value FROM cells"))
            else:
                names = (_META, register or _META)
                found = dict(connection.execute("SELECT name, value FROM cells WHERE name IN (?, ?)", names))
            return Held(found.pop(_META, None), found)

        return await self._in_thread(read)

    async def swap(self, expected: bytes | None, meta: bytes, changes: Mapping[str, bytes | None]) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            connection.execute("BEGIN IMMEDIATE")
            try:
                found = connection.execute("SELECT value FROM cells WHERE name = ?", (_META,)).fetchone()
                if (found[0] if found else None) != expected:
                    connection.execute("ROLLBACK")
                    return False
                if expected is None:
                    connection.execute("DELETE FROM cells")
                for name, value in changes.items():
                    if value is None:
                        connection.execute("DELETE FROM cells WHERE name = ?", (name,))
                    else:
                        connection.execute("INSERT OR REPLACE INTO cells VALUES (?, ?)", (name, value))
                connection.execute("INSERT OR REPLACE INTO cells VALUES (?, ?)", (_META, meta))
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return True

        return await self._in_thread(write)

    async def _in_thread(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        future = asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(self._opened()))
        try:
            return await asyncio.shield(future)
        except (sqlite3.Error, OSError) as error:
            raise CellsUnavailable(f"{self._path}: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._connection = self._connected()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                for suffix in ("", "-wal", "-shm"):
                    self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
                self._connection = self._connected()
        return self._connection

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=5.0, isolation_level=None, check_same_thread=False)
        try:
            self._path.chmod(0o600)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            connection.execute(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection

    async def listen(self, hint: Callable[[], None]) -> None:
        """A file tells nobody."""

    async def close(self) -> None:
        def shut() -> None:
            if self._connection is not None:
                self._connection.close()

        await asyncio.get_running_loop().run_in_executor(self._thread, shut)
        self._thread.shutdown(wait=True)
