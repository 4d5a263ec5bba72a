"""Which tables does a class's file have, and how is it opened?

log         applied operations in the order applied; `n` is the position of the change feed
held        received, not applied
state       what is true of each key; `flags` for what lists ask: 1 live, 2 in conflict; `digest` for comparisons
head        where each origin's chain ends
done        operation ids remembered; client: the highest of each
conflict    versions that lost by the clock
dropped     dots whose log rows may go once every member has seen them; in the order in which they came to that
note        what replication keeps: who was heard when, how far a snapshot came
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from sync.core.digests import key_digest
from sync.core.versions import decode_state

FORMAT: Final = 2

TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE stream (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    keys INTEGER NOT NULL DEFAULT 0, tombstones INTEGER NOT NULL DEFAULT 0, in_conflict INTEGER NOT NULL DEFAULT 0,
    log_operations INTEGER NOT NULL DEFAULT 0, log_bytes INTEGER NOT NULL DEFAULT 0,
    conflict_records INTEGER NOT NULL DEFAULT 0, conflict_bytes INTEGER NOT NULL DEFAULT 0,
    position INTEGER NOT NULL DEFAULT 0,
    pruned BLOB NOT NULL DEFAULT x'80', horizon BLOB NOT NULL DEFAULT x'80', horizon_n INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE origin (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE head (stream INTEGER, origin INTEGER, seq INTEGER NOT NULL, digest BLOB NOT NULL,
    PRIMARY KEY (stream, origin)) WITHOUT ROWID;
CREATE TABLE log (n INTEGER PRIMARY KEY, stream INTEGER NOT NULL, origin INTEGER NOT NULL, seq INTEGER NOT NULL,
    head BLOB NOT NULL, salt BLOB NOT NULL, value BLOB NOT NULL, cipher INTEGER);
CREATE UNIQUE INDEX log_dot ON log (stream, origin, seq);
CREATE TABLE held (stream INTEGER, origin INTEGER, seq INTEGER, key TEXT NOT NULL, reason TEXT NOT NULL,
    visible_at REAL, head BLOB NOT NULL, salt BLOB NOT NULL, value BLOB NOT NULL, cipher INTEGER,
    PRIMARY KEY (stream, origin, seq)) WITHOUT ROWID;
CREATE TABLE state (stream INTEGER, key TEXT, flags INTEGER NOT NULL, state BLOB NOT NULL,
    digest INTEGER NOT NULL, PRIMARY KEY (stream, key)) WITHOUT ROWID;
CREATE INDEX state_in_conflict ON state (stream, key) WHERE flags >= 2;
CREATE TABLE done (client TEXT, sequence INTEGER, request BLOB NOT NULL, origin INTEGER NOT NULL, seq INTEGER NOT NULL,
    status INTEGER NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (client, sequence)) WITHOUT ROWID;
CREATE TABLE client (name TEXT PRIMARY KEY, highest INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE conflict (stream INTEGER, origin INTEGER, seq INTEGER, key TEXT NOT NULL, loser BLOB NOT NULL,
    winner_origin TEXT NOT NULL, winner_seq INTEGER NOT NULL, bytes INTEGER NOT NULL, detected_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, origin, seq)) WITHOUT ROWID;
CREATE TABLE dropped (id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, origin INTEGER NOT NULL, seq INTEGER NOT NULL,
    key TEXT NOT NULL);
CREATE TABLE acknowledged (stream INTEGER, member TEXT, vector BLOB NOT NULL,
    PRIMARY KEY (stream, member)) WITHOUT ROWID;
CREATE TABLE note (stream INTEGER, name TEXT, value BLOB NOT NULL, PRIMARY KEY (stream, name)) WITHOUT ROWID;
"""

FROM_1: Final = """
ALTER TABLE state ADD COLUMN digest INTEGER NOT NULL DEFAULT 0;
CREATE TABLE note (stream INTEGER, name TEXT, value BLOB NOT NULL, PRIMARY KEY (stream, name)) WITHOUT ROWID;
"""

CACHE_KIB: Final = 64 << 10
"""Of a writer. Readers take a quarter."""
CHECKPOINT_PAGES: Final = 4096
"""16 MiB of WAL before it is copied into the file; a checkpoint at every 1,000 pages cost a tenth of batch writes."""
WAL_LIMIT_BYTES: Final = 64 << 20


def connect(path: Path, *, is_writer: bool) -> sqlite3.Connection:
    """A connection without Python's own transaction handling. Raises sqlite3.Error."""
    uri = f"{path.absolute().as_uri()}?mode={'rwc' if is_writer else 'ro'}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        connection.execute("PRAGMA busy_timeout = 10000")
        connection.execute(f"PRAGMA cache_size = {-CACHE_KIB if is_writer else -CACHE_KIB // 4}")
        if is_writer:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
        else:
            connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def is_new(connection: sqlite3.Connection) -> bool:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(tables == 0)


def create(connection: sqlite3.Connection) -> None:
    """All tables, or none."""
    connection.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT;")


def upgrade(connection: sqlite3.Connection) -> None:
    """From the format before, all of it or nothing; a file of today's or of a later one is left alone."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found != 1:
        return
    connection.create_function("key_digest", 2, _digest, deterministic=True)
    fill = "UPDATE state SET digest = key_digest(key, state) WHERE flags & 1;"
    connection.executescript(f"BEGIN IMMEDIATE; {FROM_1} {fill} PRAGMA user_version = {FORMAT}; COMMIT;")


def _digest(key: str, state: bytes) -> int:
    return key_digest(key, decode_state(state))


def fault(connection: sqlite3.Connection) -> str:
    """What is wrong with the file, by its own account; empty when it is sound."""
    try:
        found = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
        if found != ["ok"]:
            return "; ".join(str(line) for line in found)
        (found_format,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found_format == FORMAT else f"format {found_format}, expected {FORMAT}"
