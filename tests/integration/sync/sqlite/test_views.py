from __future__ import annotations

from pathlib import Path

import pytest

from sync.errors import StoreUnavailable
from tests.integration.sync.sqlite.test_file import open_one
from tests.integration.sync.store_contract import NOTES, NOW, put


def test_readers_see_what_is_committed_and_wait_for_no_writer(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    opened.ledger.write([(put("k", b"1"), NOW)])
    opened.ledger.connection.execute("BEGIN IMMEDIATE")
    opened.ledger.connection.execute("DELETE FROM state")
    record = opened.views().read(NOTES, "k")
    assert record is not None
    opened.ledger.connection.execute("ROLLBACK")
    opened.close()


def test_a_hole_in_the_log_is_never_sent_as_if_it_were_none(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    opened.ledger.write([(put(f"k{at}", b"v"), NOW) for at in range(3)])
    opened.ledger.connection.execute("DELETE FROM log WHERE seq = 2")
    with pytest.raises(StoreUnavailable, match="missing from the log"):
        opened.views().operations_after(NOTES, {}, max_operations=9, max_bytes=9999)
    opened.close()
