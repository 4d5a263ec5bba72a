from __future__ import annotations

from sync.core.aftermath import (
    IN_CONFLICT,
    LIVE,
    Tallies,
    decode_loser,
    highest_sequences,
    key_flags,
    loss_records,
    superseded,
)
from sync.core.op_ids import Done, OpId
from sync.core.policy import Loss
from sync.core.versions import EMPTY, KeyState, Version
from tests.harness.replicas import Replica, plan

PLACE = ("notes", "k")


def version(seq: int, origin: str = "eu:store.aaaa", *, is_deleted: bool = False, size: int = 1) -> Version:
    return Version(origin, seq, seq << 16, b"mark", is_deleted, "text/plain", size, 0)


def state(*versions: Version) -> KeyState:
    return KeyState(versions, {one.origin: one.seq for one in versions})


def test_lists_go_by_what_a_reader_finds() -> None:
    assert key_flags(state(version(1))) == LIVE
    assert key_flags(state(version(1, is_deleted=True))) == 0
    assert key_flags(state(version(1), version(1, "us:store.aaaa"))) == LIVE | IN_CONFLICT


def test_a_key_is_counted_once_on_its_way_through_life() -> None:
    tallies = Tallies()
    alive, split, gone = (
        state(version(1)),
        state(version(1), version(1, "us:store.aaaa")),
        state(version(2, is_deleted=True)),
    )
    for before, after in ((EMPTY, alive), (alive, split), (split, gone)):
        tallies.count("notes", before, after)
    tally = tallies.of("notes")
    assert (tally.keys, tally.tombstones, tally.in_conflict) == (0, 1, 0)


def test_what_a_key_no_longer_holds_is_superseded_and_so_is_a_tombstone() -> None:
    replica = Replica("eu", plan("last_write_wins"))
    replica.write(b"1", now=1000.0)
    before = {PLACE: replica.state()}
    replica.write(b"2", now=1000.0)
    replica.write(b"", now=1000.0, kind="delete")
    log = replica.log[replica.origin]
    assert superseded({}, before, log[:1], []) == []
    found = superseded(before, {PLACE: replica.state()}, log[1:], [])
    assert found == [(PLACE, (replica.origin, seq)) for seq in (1, 2, 3)]


def test_a_loser_is_not_superseded_while_its_record_stands() -> None:
    loser, winner = version(1), version(1, "us:store.aaaa")
    losses = [("notes", "k", Loss(loser, winner))]
    assert superseded({PLACE: state(loser)}, {PLACE: state(winner)}, [], losses) == []
    (record,) = loss_records(losses)
    assert (record.loser, record.winner) == (loser.dot, winner.dot)
    assert decode_loser(record.version) == loser
    assert record.size == len(record.version) + len("k") + loser.size


def test_only_clients_that_number_what_they_send_have_a_highest() -> None:
    done = Done(b"r", "eu:store.aaaa", 1, 200)
    ids = (OpId("desk", 3), OpId("desk", 2), OpId("~once", 9), OpId("key abc", 1))
    assert highest_sequences(dict.fromkeys(ids, done)) == {"desk": 3}
