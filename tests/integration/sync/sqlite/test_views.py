from __future__ import annotations

from pathlib import Path

import msgspec
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


@pytest.mark.parametrize("question", ["changes", "operations_after"])
def test_what_was_written_last_is_found_without_looking_at_what_was_written_before(
    tmp_path: Path, question: str
) -> None:
    opened = open_one(tmp_path / "a.db")
    origin, views = opened.ledger.origin, opened.views()

    def steps_to_the_last_of(count: int) -> int:
        """What the database does for it, in hundreds of its instructions."""
        steps = 0

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        written = views.cursor(NOTES, origin).position
        opened.ledger.write([(put(f"k{at}", b"v"), NOW) for at in range(written, count)])
        end = views.cursor(NOTES, origin)
        views.connection.set_progress_handler(step, 100)
        if question == "changes":
            since = msgspec.structs.replace(end, position=end.position - 1)
            assert len(views.changes(NOTES, since, origin, limit=100, max_bytes=9999).changes) == 1
        else:
            assert len(views.operations_after(NOTES, {origin: count - 1}, max_operations=9, max_bytes=9999)) == 1
        views.connection.set_progress_handler(None, 100)
        return steps

    few, many = steps_to_the_last_of(20), steps_to_the_last_of(2000)
    assert many <= few + 1
    opened.close()
