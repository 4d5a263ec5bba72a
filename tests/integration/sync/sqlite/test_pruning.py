from __future__ import annotations

from pathlib import Path

from sync.core.op_ids import OpId, of_idempotency_key
from sync.sqlite import pruning
from tests.integration.sync.sqlite.test_file import open_one
from tests.integration.sync.store_contract import NOTES, NOW, put


def test_churn_leaves_no_more_than_what_keys_hold(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    ledger = opened.ledger
    for turn in range(30):
        ledger.write([(put(f"k{at}", b"%d" % turn), NOW) for at in range(50)])
    ledger.write([(put(f"k{at}", b"", kind="delete"), NOW) for at in range(25)])
    below = opened.views().heads(NOTES).applied
    start: int | None = 0
    while start is not None:
        _, start = pruning.prune(ledger, NOTES, below, keep=0, start=start, now=NOW)
    for table, rows in (("log", 25), ("state", 25), ("dropped", 0)):
        (count,) = ledger.connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - ours
        assert count == rows
    stats = opened.views().stats(NOTES)
    assert (stats.keys, stats.tombstones, stats.log_operations) == (25, 0, 25)
    (size,) = ledger.connection.execute("SELECT sum(length(head) + length(value)) FROM log").fetchone()
    assert stats.log_bytes == size
    opened.close()


def test_the_latest_are_kept_for_feeds(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    for turn in range(10):
        opened.ledger.write([(put("k", b"%d" % turn), NOW)])
    below = opened.views().heads(NOTES).applied
    assert pruning.prune(opened.ledger, NOTES, below, keep=4, now=NOW) == (6, None)
    opened.close()


def test_positions_are_never_given_twice(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    opened.ledger.write([(put("k", b"1"), NOW), (put("k", b"", kind="delete"), NOW)])
    pruning.prune(opened.ledger, NOTES, opened.views().heads(NOTES).applied, keep=0, now=NOW)
    opened.close()
    opened = open_one(tmp_path / "a.db")
    opened.ledger.write([(put("k", b"2"), NOW)])
    assert opened.ledger.position == 3
    opened.close()


def test_idempotency_keys_go_by_age_and_by_number(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    for at in range(10):
        key = of_idempotency_key(f"word {at}")
        opened.ledger.write([(put(f"k{at}", b"v", op_id=key, request=b"r"), NOW + at)])
    pruning.forget_keys(opened.ledger, before_ms=int((NOW + 3) * 1000), at_most=5, now=NOW)
    kept = [row[0] for row in opened.ledger.connection.execute("SELECT at_ms FROM done ORDER BY at_ms")]
    assert kept == [int((NOW + at) * 1000) for at in range(5, 10)]
    opened.close()


def test_clients_of_one_request_go_by_age_a_chunk_at_a_time_however_much_one_of_them_did(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    ids = [OpId(f"~{at}", 1) for at in range(10)] + [OpId("~5x", at) for at in range(1, 10)] + [OpId("queue", 1)]
    for op_id in ids:
        for at in (0, 60) if op_id.client < "~3" else (0,):
            one = op_id if not at else OpId(f"{op_id.client}-late", 1)
            opened.ledger.write([(put(f"{one}", b"v", op_id=one, request=b"r"), NOW + at)])
    start: OpId | None = pruning.FIRST_PASSING
    chunks = 0
    while start is not None:
        start = pruning.forget_passing(opened.ledger, before_ms=int((NOW + 30) * 1000), now=NOW, start=start, chunk=4)
        chunks += 1
    assert chunks > 3
    kept = {row[0] for row in opened.ledger.connection.execute("SELECT client FROM done")}
    assert kept == {"queue", "queue-late", "~0-late", "~1-late", "~2-late"}
    opened.close()
