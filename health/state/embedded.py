"""One SQLite file in the data directory: the state of a node that has no peers, and what a node keeps for itself alone.

    event loop: this node's copy in memory  <--after the commit--  one thread: compare, write, commit (synchronous FULL)

A file that SQLite calls damaged is set aside under another name and said; the node starts with none, and serves.
A row that cannot be read is contained: it is listed in `troubles`, and nothing overwrites it unasked.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from health.core.rows import (
    FORMAT,
    MAX_EPOCH,
    MAX_ROWS,
    Conflict,
    NotStorable,
    Row,
    SoftRow,
    StaleEpoch,
    Trouble,
    Unavailable,
    checked,
    next_row,
)
from health.state.soft import SoftBook

Result = TypeVar("Result")

BUSY_TIMEOUT_S = 5.0
"""A second process (a control that is being replaced) may hold the file for the length of one commit."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows(
    kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB, version INTEGER NOT NULL, epoch INTEGER NOT NULL,
    format INTEGER NOT NULL, PRIMARY KEY(kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fence(only INTEGER PRIMARY KEY CHECK (only = 1), epoch INTEGER NOT NULL);
INSERT OR IGNORE INTO fence VALUES (1, 0);
"""


class EmbeddedStore:
    """A `StateStore` over one file."""

    def __init__(
        self,
        path: Path,
        *,
        owner: str,
        clock: Callable[[], float],
        connect: Callable[[Path], sqlite3.Connection] | None = None,
    ) -> None:
        """`owner` names this run of this node for soft rows; `connect` opens a file that is `prepared`.

        Raises `Unavailable` when there can be no file.
        """
        self._path = path
        self._connect = connect or _connect
        self._soft = self.soft_book = SoftBook(owner, clock=clock)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="state")
        self._rows: dict[tuple[str, str], Row] = {}
        self._contained: dict[tuple[str, str], Trouble] = {}
        self._revision = 0
        self._news = asyncio.Event()
        self._frozen: str | None = None
        self.set_aside: Path | None = None
        """Where a damaged file went; None when there was none."""
        self._connection = self._opened()
        self._load()

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._connect(self._path)
        except sqlite3.DatabaseError as error:
            if not self._path.exists() or isinstance(error, sqlite3.OperationalError):
                raise Unavailable(f"{self._path}: {error}, expected a file that this user may write") from error
        self.set_aside = _free_name(self._path)
        self._path.rename(self.set_aside)
        for suffix in ("-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        try:
            return self._connect(self._path)
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"{self._path}: {error}, expected a file that this user may write") from error

    def _load(self) -> None:
        (fence,) = self._connection.execute("SELECT epoch FROM fence").fetchone()
        self.fence: int = fence
        """The highest epoch that had acted when this store was opened."""
        for kind, key, value, version, epoch, written in self._connection.execute(
            "SELECT kind, key, value, version, epoch, format FROM rows ORDER BY kind, key LIMIT ?", (MAX_ROWS,)
        ):
            row = _read(kind, key, value, version, epoch, written, fence=fence)
            if isinstance(row, Trouble):
                self._contained[str(kind), str(key)] = row
            else:
                self._rows[row.kind, row.key] = row

    def rows(self, kind: str) -> tuple[Row, ...]:
        found = [row for row in self._rows.values() if row.kind == kind and row.value is not None]
        return tuple(sorted(found, key=lambda row: row.key))

    def row(self, kind: str, key: str) -> Row | None:
        found = self._rows.get((kind, key))
        return found if found is not None and found.value is not None else None

    async def fresh(self, kind: str, key: str) -> Row | None:
        return self.row(kind, key)

    async def put(
        self, kind: str, key: str, value: dict[str, Any], *, expected: int | None, epoch: int | None = None
    ) -> Row:
        return await self._write(kind, key, value, expected=expected, epoch=epoch)

    async def delete(self, kind: str, key: str, *, expected: int | None, epoch: int | None = None) -> None:
        if expected or self.row(kind, key) is not None:
            await self._write(kind, key, None, expected=expected, epoch=epoch)

    async def raise_fence(self, epoch: int) -> None:
        await self._in_thread(lambda: _raise_fence(self._connection, epoch))

    @property
    def revision(self) -> int:
        return self._revision

    async def changed(self, since: int) -> int:
        while self._revision <= since:
            await self._news.wait()
        return self._revision

    def announce(self, kind: str, key: str, value: dict[str, Any], *, ttl_s: float) -> None:
        self._soft.announce(kind, key, value, ttl_s=ttl_s)

    def withdraw(self, kind: str, key: str) -> None:
        self._soft.withdraw(kind, key)

    def soft(self, kind: str) -> tuple[SoftRow, ...]:
        return self._soft.rows(kind)

    def frozen(self) -> str | None:
        return self._frozen

    def troubles(self) -> tuple[Trouble, ...]:
        return tuple(self._contained.values())

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=True)

    async def adopt(self, rows: Sequence[Row]) -> None:
        """Rows that were agreed on elsewhere; each replaces an older version of itself, whatever this file holds."""

        def keep() -> list[Row]:
            with _transaction(self._connection):
                return [row for row in rows if _adopt(self._connection, row)]

        def learn(kept: list[Row]) -> None:
            for row in kept:
                self._contained.pop((row.kind, row.key), None)
                self._learn(row)

        await self._in_thread(keep, learn)

    async def _write(
        self, kind: str, key: str, value: dict[str, Any] | None, *, expected: int | None, epoch: int | None
    ) -> Row:
        encoded = None if value is None else checked(kind, key, value, epoch)
        if (kind, key) in self._contained:
            raise Conflict(f"{self._contained[kind, key]}, expected a program that understands it")

        def commit() -> Row:
            with _transaction(self._connection):
                return _commit(self._connection, kind, key, value, encoded, expected=expected, epoch=epoch)

        return await self._in_thread(commit, learn=self._learn)

    def _learn(self, row: Row) -> None:
        before = self._rows.get((row.kind, row.key))
        if before is None or before.version < row.version:
            self._rows[row.kind, row.key] = row
            self._revision += 1
            self._news.set()
            self._news = asyncio.Event()

    async def _in_thread(self, work: Callable[[], Result], learn: Callable[[Result], None] | None = None) -> Result:
        def done(future: asyncio.Future[Result]) -> None:
            if learn is not None and future.exception() is None:
                learn(future.result())

        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        future.add_done_callback(done)
        try:
            # Shielded: a caller that gives up must not make this node's copy miss a commit.
            result = await asyncio.shield(future)
        except sqlite3.Error as error:
            self._frozen = f"{self._path}: {error}"
            raise Unavailable(self._frozen) from error
        self._frozen = None
        return result


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return prepared(connection)
    except BaseException:
        connection.close()
        raise


def prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Looked through, and with all tables. Raises `sqlite3.DatabaseError`."""
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    connection.executescript(_SCHEMA)
    return connection


def _free_name(path: Path) -> Path:
    number = 1
    while (candidate := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return candidate


def _transaction(connection: sqlite3.Connection) -> contextlib.AbstractContextManager[None]:
    @contextlib.contextmanager
    def whole() -> Any:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    return whole()


def _commit(
    connection: sqlite3.Connection,
    kind: str,
    key: str,
    value: dict[str, Any] | None,
    encoded: bytes | None,
    *,
    expected: int | None,
    epoch: int | None,
) -> Row:
    (fence,) = connection.execute("SELECT epoch FROM fence").fetchone()
    if epoch is not None and epoch < fence:
        raise StaleEpoch(f"found the epoch {fence} in the store, expected at most {epoch}")
    found = connection.execute(
        "SELECT value, version, epoch, format FROM rows WHERE kind = ? AND key = ?", (kind, key)
    ).fetchone()
    current = None if found is None else _read(kind, key, *found[:4], fence=fence)
    if isinstance(current, Trouble):
        raise Conflict(f"{current}, expected a program that understands it")
    if current is None:
        (count,) = connection.execute("SELECT count(*) FROM rows").fetchone()
        if count >= MAX_ROWS:
            raise NotStorable(f"found {count} rows, expected fewer than {MAX_ROWS}: a journal must reuse its keys")
    row = next_row(current, kind, key, value, expected=expected, epoch=epoch)
    if epoch is not None and epoch > fence:
        connection.execute("UPDATE fence SET epoch = ?", (epoch,))
    connection.execute(
        "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?)",
        (kind, key, encoded, row.version, row.epoch, row.format),
    )
    return row


def _adopt(connection: sqlite3.Connection, row: Row) -> bool:
    found = connection.execute("SELECT version FROM rows WHERE kind = ? AND key = ?", (row.kind, row.key)).fetchone()
    if found is not None and isinstance(found[0], int) and found[0] >= row.version:
        return False
    encoded = None if row.value is None else msgspec.json.encode(row.value)
    connection.execute(
        "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?)",
        (row.kind, row.key, encoded, row.version, row.epoch, row.format),
    )
    connection.execute("UPDATE fence SET epoch = max(epoch, ?)", (row.epoch,))
    return True


def _raise_fence(connection: sqlite3.Connection, epoch: int) -> None:
    with _transaction(connection):
        (fence,) = connection.execute("SELECT epoch FROM fence").fetchone()
        if epoch < fence:
            raise StaleEpoch(f"found the epoch {fence} in the store, expected at most {epoch}")
        connection.execute("UPDATE fence SET epoch = ?", (epoch,))


def _read(kind: Any, key: Any, value: Any, version: Any, epoch: Any, written: Any, *, fence: int) -> Row | Trouble:  # noqa: PLR0917 - a row's columns, in their order
    """SQLite holds any type in any column, so every one is looked at."""
    trouble: str | None = None
    if not isinstance(written, int) or written > FORMAT:
        trouble = f"found format {written!r}, expected at most {FORMAT}: a newer version wrote it"
    elif not isinstance(version, int) or version < 1:
        trouble = f"found version {version!r}, expected 1 or more"
    elif not isinstance(epoch, int) or not 0 <= epoch <= min(fence, MAX_EPOCH):
        trouble = f"found epoch {epoch!r}, expected at most {fence}, the highest that has acted"
    if trouble is None:
        try:
            known = None if value is None else msgspec.json.decode(value, type=dict[str, Any])
        except (msgspec.DecodeError, TypeError, UnicodeDecodeError) as error:
            trouble = f"found a value that cannot be read: {error}"
        else:
            return Row(str(kind), str(key), known, version, epoch, written)
    return Trouble(str(kind), str(key), trouble)
