from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sync.sqlite import schema
from tests.integration.sync.sqlite.test_file import open_one
from tests.integration.sync.store_contract import NOW, put


def test_a_writer_is_durable_and_a_reader_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(schema.connect(path, is_writer=True)) as writer:
        assert schema.is_new(writer)
        schema.create(writer)
        assert not schema.is_new(writer)
        assert schema.fault(writer) == ""
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert writer.execute("PRAGMA synchronous").fetchone() == (2,)
        with closing(schema.connect(path, is_writer=False)) as reader, pytest.raises(sqlite3.OperationalError):
            reader.execute("DELETE FROM meta")


def test_a_file_of_another_format_is_not_touched(tmp_path: Path) -> None:
    with closing(schema.connect(tmp_path / "a.db", is_writer=True)) as writer:
        schema.create(writer)
        writer.execute(f"PRAGMA user_version = {schema.FORMAT + 1}")
        assert schema.fault(writer) == f"format {schema.FORMAT + 1}, expected {schema.FORMAT}"


def test_what_is_no_database_is_a_fault_or_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        schema.connect(tmp_path / "a.db", is_writer=True)


def test_lists_of_conflicts_are_answered_by_their_index(tmp_path: Path) -> None:
    with closing(schema.connect(tmp_path / "a.db", is_writer=True)) as writer:
        schema.create(writer)
        plan = writer.execute(
            "EXPLAIN QUERY PLAN SELECT key FROM state INDEXED BY state_in_conflict"
            " WHERE stream = 1 AND key > '' AND flags >= 2 ORDER BY key"
        ).fetchall()
        assert "state_in_conflict" in str(plan)


def test_a_file_of_the_format_before_gets_its_digests(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    opened.ledger.write([(put(f"k{at}", b"v"), NOW) for at in range(5)])
    opened.ledger.write([(put("k0", b"", kind="delete"), NOW)])
    digests = opened.ledger.connection.execute("SELECT key, digest FROM state").fetchall()
    opened.close()
    with closing(schema.connect(tmp_path / "a.db", is_writer=True)) as writer:
        writer.executescript("ALTER TABLE state DROP COLUMN digest; DROP TABLE note; PRAGMA user_version = 1;")
    opened = open_one(tmp_path / "a.db")
    assert opened.ledger.connection.execute("SELECT key, digest FROM state").fetchall() == digests
    assert dict(digests)["k0"] == 0
    opened.close()
