"""One class's file: opened, checked, identified; its writer and its readers; closed.

A file that fails its check is not opened, and nothing of its class is served until somebody restores it or lets it
start over (`start_over` puts it aside; peers send what they hold): starting empty by itself would deny what it knew.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sync.cipher import Cipher
from sync.companion import confirm_opening
from sync.core.clock import Clock
from sync.core.plans import CollectionPlan
from sync.core.writes import Refusal, Write, Written
from sync.errors import StoreUnavailable
from sync.sqlite import identity, schema
from sync.sqlite.lanes import Outcome, Work, one_by_one
from sync.sqlite.ledger import Ledger, translated
from sync.sqlite.views import Views

MAX_BATCH_BYTES: Final = 4 << 20
"""Of values in one transaction, whatever came together: a commit stays in the milliseconds."""


@dataclass(frozen=True, slots=True)
class Writes:
    """A call's local writes: work that may share a transaction with others of its kind."""

    ledger: Ledger
    asked: Sequence[tuple[Write, float]]

    def __call__(self) -> list[Written | Refusal]:
        return self.ledger.write(self.asked)

    def size(self) -> int:
        return sum(len(write.value) for write, _ in self.asked)


def group_commit(works: Sequence[Work]) -> list[Outcome]:
    """Neighbouring local writes share a transaction; everything else stands alone."""
    outcomes: list[Outcome] = []
    at = 0
    while at < len(works):
        group = _group(works, at)
        if len(group) > 1:
            outcomes.extend(_committed(group))
        else:
            outcomes.extend(one_by_one(works[at : at + 1]))
        at += max(1, len(group))
    return outcomes


def _group(works: Sequence[Work], at: int) -> list[Writes]:
    group: list[Writes] = []
    size = 0
    for work in works[at:]:
        if not isinstance(work, Writes):
            break
        size += work.size()
        if group and size > MAX_BATCH_BYTES:
            break
        group.append(work)
    return group


def _committed(group: Sequence[Writes]) -> list[Outcome]:
    try:
        results = group[0].ledger.write([pair for work in group for pair in work.asked])
    except Exception as error:  # noqa: BLE001 - the border: it is raised where the work was asked for
        return [(None, error)] * len(group)
    outcomes: list[Outcome] = []
    for work in group:
        outcomes.append((results[: len(work.asked)], None))
        results = results[len(work.asked) :]
    return outcomes


class ClassFile:
    """The open file of one class."""

    def __init__(self, path: Path, ledger: Ledger, cipher: Cipher) -> None:
        self.path = path
        self.ledger = ledger
        self._cipher = cipher
        self._readers = threading.local()
        self._opened: list[sqlite3.Connection] = []

    def views(self) -> Views:
        """This thread's reader."""
        found: Views | None = getattr(self._readers, "views", None)
        if found is None:
            try:
                connection = schema.connect(self.path, is_writer=False)
            except sqlite3.Error as error:
                raise translated(error) from error
            self._opened.append(connection)
            found = self._readers.views = Views(connection, self._cipher)
        return found

    def close(self) -> None:
        for connection in (*self._opened, self.ledger.connection):
            connection.close()


def open_file(
    path: Path,
    *,
    region: str,
    store: str,
    plans: Mapping[str, CollectionPlan],
    cipher: Cipher,
    max_skew_s: float,
    max_conflict_bytes: int,
    chance: Callable[[int], bytes],
    report: Callable[..., None],
) -> ClassFile:
    """Open or make a class's file. Raises StoreUnavailable."""
    connection: sqlite3.Connection | None = None
    try:
        connection = schema.connect(path, is_writer=True)
        if schema.is_new(connection):
            schema.create(connection)
        schema.upgrade(connection)
        fault = schema.fault(connection)
        if fault:
            raise StoreUnavailable(f"{path} is damaged ({fault}), expected a sound file: restore it, or start it over")
        _identify(connection, path, region=region, store=store, chance=chance, report=report)
        ledger = Ledger(
            connection,
            plans=plans,
            clock=Clock(max_skew_s=max_skew_s),
            cipher=cipher,
            chance=chance,
            max_conflict_bytes=max_conflict_bytes,
        )
        with ledger.transaction(now=0.0):
            for stream in plans:
                ledger.stream_id(stream)
        if cipher.encrypts:
            _encrypt_older(ledger)
    except (sqlite3.Error, OSError) as error:
        if connection is not None:
            connection.close()
        raise _unavailable(path, error) from error
    except StoreUnavailable:
        if connection is not None:
            connection.close()
        raise
    return ClassFile(path, ledger, cipher)


def start_over(path: Path, *, suffix: str) -> Path:
    """Put a damaged file aside; where it lies now. The next opening makes a new one under a new incarnation."""
    aside = path.with_name(f"{path.name}.{suffix}")
    for ending in ("", "-wal", "-shm"):
        one = path.with_name(path.name + ending)
        if one.exists():
            one.rename(aside.with_name(aside.name + ending))
    return aside


def _identify(
    connection: sqlite3.Connection,
    path: Path,
    *,
    region: str,
    store: str,
    chance: Callable[[int], bytes],
    report: Callable[..., None],
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    origin, why, opened = identity.origin_of_file(connection, path, region=region, store=store, chance=chance)
    connection.execute("COMMIT")
    confirm_opening(path, opened)
    if why:
        report("a new incarnation of a store", file=path.name, origin=origin, because=why)


def _encrypt_older(ledger: Ledger) -> None:
    """Values from before encryption was required."""
    connection = ledger.connection
    select = (
        "SELECT n, stream.name, origin.name, seq, value FROM log JOIN stream ON stream.id = log.stream"
        " JOIN origin ON origin.id = log.origin WHERE cipher IS NULL LIMIT 500"
    )
    was_any = False
    while rows := connection.execute(select).fetchall():
        was_any = True
        with ledger.transaction(now=0.0):
            for n, stream, origin, seq, value in rows:
                stored, key_id = ledger.cipher.close(value, stream, origin, seq)
                connection.execute("UPDATE log SET value = ?, cipher = ? WHERE n = ?", (stored, key_id, n))
    if was_any:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _unavailable(path: Path, error: Exception) -> StoreUnavailable:
    if isinstance(error, sqlite3.Error):
        reported = translated(error)
        return type(reported)(f"{path}: {reported}")
    return StoreUnavailable(f"{path}: {error}")


def positions(ledger: Ledger) -> dict[str, int]:
    """Where each stream's feed ends."""
    rows: list[Any] = ledger.connection.execute("SELECT name, position FROM stream").fetchall()
    return {str(name): int(n) for name, n in rows}
