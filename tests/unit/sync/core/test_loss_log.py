from __future__ import annotations

from sync.core.loss_log import KnownLoss, Recordable, recordable, room_for
from sync.core.merging import version_of
from tests.harness.replicas import STREAM, Replica, plan

NOW = 1000.0


def losses(*values: bytes) -> list[KnownLoss]:
    replica = Replica("us", plan("last_write_wins"))
    for at, value in enumerate(values):
        replica.write(value, now=NOW, key=f"k{at}")
    return [
        KnownLoss(
            one.operation.key,
            version_of(one.operation, one.digest, with_event=False),
            ("eu:store.aaaa", 1),
            1_000_000,
            one.sealed,
        )
        for one in replica.log[replica.origin]
    ]


def keys(found: list[Recordable]) -> list[str]:
    return [one.record.key for one in found]


def test_records_are_kept_as_this_store_would_keep_its_own() -> None:
    given = losses(b"v", b"w")
    found = recordable(STREAM, given, {}, room=1 << 20)
    assert keys(found) == ["k0", "k1"]
    assert [one.record.winner for one in found] == [("eu:store.aaaa", 1)] * 2
    assert [one.detected_ms for one in found] == [1_000_000] * 2
    assert [one.appended.sealed for one in found] == [one.operation for one in given]


def test_what_has_no_room_is_left_out() -> None:
    given = losses(b"v" * 10, b"w" * 1000, b"x")
    assert keys(recordable(STREAM, given, {}, room=500)) == ["k0"]
    assert recordable(STREAM, given, {}, room=-1) == []
    assert room_for(1000, 100) == 400


def test_records_of_another_stream_are_none() -> None:
    assert recordable("another", losses(b"v"), {}, room=1 << 20) == []
