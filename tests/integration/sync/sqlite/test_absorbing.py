from __future__ import annotations

from pathlib import Path

from sync.core.digests import KeyRange
from sync.sqlite import absorbing, arrivals
from sync.sqlite.copies import Copies
from tests.integration.sync.sqlite.test_file import open_one
from tests.integration.sync.store_contract import NOTES, NOW, put


def test_rows_that_a_snapshot_brought_ahead_of_the_log_are_known_after_a_restart_and_not_doubled(
    tmp_path: Path,
) -> None:
    source, target = open_one(tmp_path / "a.db"), open_one(tmp_path / "b.db")
    source.ledger.write([(put("a", b"1"), NOW), (put("b", b"2"), NOW)])
    copies = Copies(source.views())
    base = copies.base(NOTES)
    source.ledger.write([(put("c", b"3"), NOW), (put("d", b"4"), NOW)])
    page = copies.page(NOTES, KeyRange(), limit=99, max_bytes=1 << 20)
    absorbing.absorb(target.ledger, NOTES, page, KeyRange(), purpose="snapshot", now=NOW)
    absorbing.adopt(target.ledger, NOTES, base, page.horizon)
    target.close()
    target = open_one(tmp_path / "b.db")
    assert sorted(seq for _, _, seq in target.ledger.ahead) == [3, 4]
    have = target.views().heads(NOTES).received
    operations = source.views().operations_after(NOTES, have, max_operations=99, max_bytes=1 << 20)
    counts, problem = arrivals.receive(target.ledger, NOTES, operations, now=NOW)
    assert (counts["applied"], problem) == (2, None)
    assert target.ledger.ahead == set()
    stats = target.views().stats(NOTES)
    assert (stats.keys, stats.log_operations) == (4, 4)
    (size,) = target.ledger.connection.execute("SELECT sum(length(head) + length(value)) FROM log").fetchone()
    assert stats.log_bytes == size
    source.close()
    target.close()


def test_an_origin_that_only_a_page_names_gets_no_row(tmp_path: Path) -> None:
    source, target = open_one(tmp_path / "a.db"), open_one(tmp_path / "b.db")
    source.ledger.write([(put("a", b"1"), NOW)])
    page = Copies(source.views()).page(NOTES, KeyRange(), limit=99, max_bytes=1 << 20)
    absorbed = absorbing.absorb(target.ledger, NOTES, page, KeyRange(), purpose="comparison", now=NOW)
    assert absorbed.changed == 0, "the log will bring it"
    assert target.ledger.connection.execute("SELECT count(*) FROM origin").fetchone() == (0,)
    source.close()
    target.close()
