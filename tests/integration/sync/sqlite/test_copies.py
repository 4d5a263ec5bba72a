from __future__ import annotations

from pathlib import Path

import pytest

from sync.core.digests import KeyRange, added
from sync.core.operation import decode_head, head_hash
from sync.errors import StoreUnavailable
from sync.sqlite import arrivals
from sync.sqlite.copies import Copies
from tests.integration.sync.sqlite.test_file import open_one
from tests.integration.sync.store_contract import NOTES, NOW, put


def test_what_sqlite_adds_up_is_what_the_digests_add_up_to(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    opened.ledger.write([(put(f"k{at}", b"v"), NOW) for at in range(100)])
    rows = opened.ledger.connection.execute("SELECT digest FROM state").fetchall()
    (found,) = Copies(opened.views()).digests(NOTES, [KeyRange()]).digests
    assert found == added(digest for (digest,) in rows)
    assert found.keys == 100
    opened.close()


def test_where_something_is_held_the_log_goes_on_from_before_it(tmp_path: Path) -> None:
    source, opened = open_one(tmp_path / "a.db"), open_one(tmp_path / "b.db")
    source.ledger.write([(put("a", b"1"), NOW), (put("b", b"2"), NOW + 60)])
    operations = source.views().operations_after(NOTES, {}, max_operations=9, max_bytes=1 << 20)
    arrivals.receive(opened.ledger, NOTES, operations, now=NOW)
    first = operations[0]
    assert Copies(opened.views()).base(NOTES) == {decode_head(first.head).origin: (1, head_hash(first.head))}
    source.close()
    opened.close()


def test_a_page_is_refused_where_the_log_has_lost_a_value(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    opened.ledger.write([(put("a", b"1"), NOW)])
    opened.ledger.connection.execute("DELETE FROM log")
    with pytest.raises(StoreUnavailable, match="missing from the log"):
        Copies(opened.views()).page(NOTES, KeyRange(), limit=9, max_bytes=9)
    opened.close()
