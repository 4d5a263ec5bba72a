from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from sync.core.op_ids import WINDOW, OpId
from sync.core.writes import Written
from sync.errors import StoreFull, StoreUnavailable
from sync.sqlite.ledger import translated
from tests.integration.sync.sqlite.test_file import open_one
from tests.integration.sync.store_contract import NOTES, NOW, put


def test_a_transaction_that_fails_changes_nothing_and_costs_no_sequence(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    ledger = opened.ledger
    ledger.write([(put("k", b"1"), NOW)])
    ledger.connection.execute(
        "CREATE TEMP TRIGGER planted BEFORE INSERT ON main.log BEGIN SELECT raise(ABORT, 'planted'); END"
    )
    with pytest.raises(StoreUnavailable, match="planted"):
        ledger.write([(put("k", b"2"), NOW)])
    ledger.connection.execute("DROP TRIGGER planted")
    (result,) = ledger.write([(put("k", b"3"), NOW)])
    assert isinstance(result, Written)
    assert (result.seq, ledger.position) == (2, 2)
    record = opened.views().read(NOTES, "k")
    assert record is not None
    assert [body.value for body in record.bodies] == [b"3"]
    opened.close()


def test_the_clock_goes_on_above_what_was_stamped_before_a_restart(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    (before,) = opened.ledger.write([(put("k", b"1"), NOW + 1000)])
    opened.close()
    opened = open_one(tmp_path / "a.db")
    (after,) = opened.ledger.write([(put("k", b"2"), NOW)])
    assert isinstance(before, Written)
    assert isinstance(after, Written)
    assert after.hlc > before.hlc
    opened.close()


def test_operation_ids_are_remembered_within_the_window(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    for sequence in (1, 2, WINDOW + 1):
        opened.ledger.write([(put("k", b"v", op_id=OpId("desk", sequence), request=b"r"), NOW)])
    kept = [row[0] for row in opened.ledger.connection.execute("SELECT sequence FROM done ORDER BY sequence")]
    assert kept == [2, WINDOW + 1]
    assert opened.ledger.highest({"desk", "nobody"}) == {"desk": WINDOW + 1}
    opened.close()


def test_what_sqlite_reports_is_told_apart() -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorname = "SQLITE_FULL"
    broken = sqlite3.DatabaseError("malformed")
    broken.sqlite_errorname = "SQLITE_CORRUPT"
    assert isinstance(translated(full), StoreFull)
    assert not isinstance(translated(broken), StoreFull)
