"""How is one class's file copied while it is written to, put back, and shown to be whole?

copy      VACUUM INTO: one moment of the file, compacted, without holding up its writer
prepare   a copy that is put back is another life: it forgets its inode and who confirmed what, so that the next
          opening begins a new incarnation
verify    every key's digest, every version's operation, every value's hash; what a disk forgot shows here
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sync.cipher import Cipher
from sync.core.digests import key_digest
from sync.core.operation import FromLaterVersion, Malformed, Sealed, decode_head, head_hash, verify_value
from sync.core.versions import MARK_BYTES, Version, decode_state
from sync.errors import StoreUnavailable
from sync.sqlite import schema
from sync.sqlite.ledger import translated

MAX_FAULTS: Final = 100
"""Named; more are only counted."""
SHOW_EVERY: Final = 500

Progress = Callable[[int, int], None]


@dataclass
class Verified:
    """What a file holds, and what is wrong with it."""

    keys: int = 0
    values: int = 0
    bytes: int = 0
    """Of values."""
    fault_count: int = 0
    faults: list[str] = field(default_factory=list)

    def fault(self, what: str) -> None:
        self.fault_count += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(what)


def copy(path: Path, target: Path) -> None:
    """One moment of an open file, as a file of its own. Raises StoreUnavailable (StoreFull when there is no room)."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.execute("PRAGMA busy_timeout = 10000")
            connection.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise translated(error) from error
    target.chmod(0o600)


def figures(path: Path) -> dict[str, int]:
    """How many keys live in each collection of a copy. Raises sqlite3.Error."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        return {str(name): int(keys) for name, keys in connection.execute("SELECT name, keys FROM stream")}


def prepare(path: Path) -> None:
    """Make a copy fit to be put back. Raises StoreUnavailable for what is no sound file of ours."""
    try:
        with closing(schema.connect(path, is_writer=True)) as connection:
            fault = schema.fault(connection)
            if fault:
                raise StoreUnavailable(f"a damaged store ({fault})")
            connection.executescript(
                "BEGIN IMMEDIATE; DELETE FROM meta WHERE name = 'inode'; DELETE FROM acknowledged; DELETE FROM note;"
                " COMMIT; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE;"
            )
    except sqlite3.Error as error:
        raise translated(error) from error


def verify(path: Path, cipher: Cipher, *, progress: Progress = lambda done, of: None) -> Verified:
    """Read everything that keys hold and judge it. Raises StoreUnavailable for what is no sound file of ours."""
    try:
        with closing(schema.connect(path, is_writer=False)) as connection:
            fault = schema.fault(connection)
            if fault:
                raise StoreUnavailable(f"a damaged store ({fault})")
            return _Reader(connection, cipher).read(progress)
    except sqlite3.Error as error:
        raise translated(error) from error


class _Reader:
    """One pass over a file."""

    def __init__(self, connection: sqlite3.Connection, cipher: Cipher) -> None:
        self._connection = connection
        self._cipher = cipher
        self._found = Verified()

    def read(self, progress: Progress) -> Verified:
        (of,) = self._connection.execute("SELECT count(*) FROM state").fetchone()
        rows = self._connection.execute(
            "SELECT stream.name, key, state, digest FROM state JOIN stream ON stream.id = state.stream"
        )
        for done, (stream, key, encoded, digest) in enumerate(rows, 1):
            self._found.keys += 1
            state = decode_state(encoded)
            if key_digest(key, state) != digest:
                self._found.fault(f"{stream}/{key}: its digest does not fit what it holds")
            for version in state.versions:
                self._version(stream, key, version)
            if done % SHOW_EVERY == 0 or done == of:
                progress(done, of)
        return self._found

    def _version(self, stream: str, key: str, version: Version) -> None:
        row = self._connection.execute(
            "SELECT head, salt, value, cipher FROM log WHERE stream = (SELECT id FROM stream WHERE name = ?)"
            " AND origin = (SELECT id FROM origin WHERE name = ?) AND seq = ?",
            (stream, version.origin, version.seq),
        ).fetchone()
        if row is None:
            self._found.fault(f"{stream}/{key}: version {version.name} has no operation in the log")
            return
        head, salt, stored, key_id = row
        try:
            value = self._cipher.open(stored, key_id, stream, version.origin, version.seq)
            operation = decode_head(head)
            if operation.key != key or head_hash(head)[:MARK_BYTES] != version.mark:
                raise Malformed("an operation that is not the one it was")
            verify_value(operation, Sealed(head, salt, value))
        except FromLaterVersion:
            return
        except (Malformed, StoreUnavailable) as error:
            self._found.fault(f"{stream}/{key}: version {version.name}: {error}")
            return
        self._found.values += 1
        self._found.bytes += len(value)
