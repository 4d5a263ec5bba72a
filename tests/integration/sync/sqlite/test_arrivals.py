from __future__ import annotations

from pathlib import Path

import msgspec

from sync.core.operation import Sealed
from sync.sqlite import arrivals
from tests.harness.replicas import Replica, plan
from tests.integration.sync.sqlite.test_file import open_one
from tests.integration.sync.store_contract import NOTES, NOW


def test_a_write_behind_a_held_one_waits_with_it_and_both_come_in_order(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    peer = Replica("us", plan("last_write_wins"))
    peer.write(b"far", now=NOW + 60)
    peer.write(b"behind", now=NOW + 60)
    counts, problem = arrivals.receive(opened.ledger, NOTES, peer.missing({}), now=NOW)
    assert (counts["held"], problem) == (2, None)
    assert [reason for _, reason in arrivals.held(opened.ledger, NOTES)] == ["future", "behind"]
    assert arrivals.release(opened.ledger, NOTES, now=NOW + 30) == 0
    assert arrivals.release(opened.ledger, NOTES, now=NOW + 60) == 2
    record = opened.views().read(NOTES, "k")
    assert record is not None
    assert [body.value for body in record.bodies] == [b"behind"]
    assert arrivals.held(opened.ledger, NOTES) == []
    opened.close()


def test_what_a_later_version_wrote_is_kept_byte_for_byte_and_passed_on(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    peer = Replica("us", plan("last_write_wins"))
    peer.write(b"v", now=NOW)
    (sealed,) = peer.missing({})
    fields = msgspec.msgpack.decode(sealed.head)
    fields[0] = 99
    later = Sealed(msgspec.msgpack.encode([*fields, "new"]), sealed.salt, sealed.value)
    counts, _ = arrivals.receive(opened.ledger, NOTES, [later], now=NOW)
    assert counts["held"] == 1
    assert opened.views().operations_after(NOTES, {}, max_operations=9, max_bytes=9999) == [later]
    assert opened.views().heads(NOTES).applied == {}
    opened.close()
