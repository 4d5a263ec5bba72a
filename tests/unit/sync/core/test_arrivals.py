from __future__ import annotations

import msgspec
import pytest

from sync.core.arrivals import ArrivalBatch, ChainBroken, applied_vector, operation_dot, readable_heads
from sync.core.local_batch import Head
from sync.core.operation import Malformed, Sealed, decode_head, head_bytes
from tests.harness.replicas import Replica, plan

NOW = 1000.0


def pair() -> tuple[Replica, Replica]:
    return Replica("eu", plan()), Replica("us", plan())


def test_operations_arrive_once_however_often_they_are_sent() -> None:
    here, there = pair()
    there.write(b"1", now=NOW)
    sent = there.missing({})
    assert here.receive(sent, now=NOW) == ["applied"]
    assert here.receive([*sent, *sent], now=NOW) == ["duplicate", "duplicate"]
    assert here.values() == {b"1"}
    assert here.state() == there.state()


def test_what_was_received_is_passed_on() -> None:
    here, there = pair()
    third = Replica("ap", plan())
    there.write(b"1", now=NOW)
    here.pull_from(there, now=NOW)
    third.pull_from(here, now=NOW)
    assert third.values() == {b"1"}


def test_a_gap_is_not_jumped() -> None:
    here, there = pair()
    for value in (b"1", b"2"):
        there.write(value, now=NOW)
    with pytest.raises(ChainBroken) as broken:
        here.receive(there.missing({})[1:], now=NOW)
    assert broken.value.kind == "gap"
    assert here.vector() == {}


def test_an_origin_that_goes_on_from_another_past_is_found_out() -> None:
    here, there = pair()
    restored = Replica("us", plan())
    there.write(b"1", now=NOW)
    here.pull_from(there, now=NOW)
    restored.write(b"another", now=NOW)
    with pytest.raises(ChainBroken) as broken:
        here.receive(restored.missing({}), now=NOW)
    assert broken.value.kind == "fork"
    restored.write(b"more", now=NOW)
    with pytest.raises(ChainBroken) as broken:
        here.receive(restored.missing({})[1:], now=NOW)
    assert broken.value.kind == "fork"


def test_a_store_that_forgot_its_own_writes_learns_so_from_its_peers() -> None:
    here, there = pair()
    there.write(b"1", now=NOW)
    here.pull_from(there, now=NOW)
    amnesiac = Replica("us", plan())
    with pytest.raises(ChainBroken) as broken:
        amnesiac.pull_from(here, now=NOW)
    assert broken.value.kind == "own_future"
    reborn = Replica("us", plan(), incarnation="bbbb")
    reborn.pull_from(here, now=NOW)
    assert reborn.values() == {b"1"}


def test_a_damaged_value_is_refused() -> None:
    here, there = pair()
    there.write(b"1", now=NOW)
    (sent,) = there.missing({})
    with pytest.raises(Malformed, match="not the one its head names"):
        here.receive([Sealed(sent.head, sent.salt, b"2")], now=NOW)
    assert here.vector() == {}


def poisoned(here: Replica, there: Replica, *values: tuple[str, bytes]) -> tuple[ArrivalBatch, list[Sealed]]:
    """The first of what `there` wrote is held by `here` in quarantine, the others came after it."""
    for key, value in values:
        there.write(value, now=NOW, key=key)
    sent = there.missing({})
    batch = here.arrivals()
    damaged = Sealed(sent[0].head, sent[0].salt, b"?")
    _, problem = batch.take_all([damaged, *sent[1:]], now=NOW)
    assert problem is not None
    assert problem.poison == (there.origin, 1)
    counts, problem = batch.take_all([damaged, *sent[1:]], now=NOW, poison=[(there.origin, 1)])
    assert problem is None
    assert sum(counts.values()) == len(sent)
    return batch, sent


def test_a_poisoned_operation_blocks_only_its_key_and_keeps_nothing_of_the_wrong_value() -> None:
    here, there = pair()
    batch, sent = poisoned(here, there, ("k", b"1"), ("other", b"2"), ("k", b"3"))
    assert [(held.appended.operation.seq, held.reason) for held in batch.held] == [(1, "quarantined"), (3, "behind")]
    assert batch.held[0].appended.sealed == Sealed(sent[0].head, b"", b"")
    assert [one.operation.key for one in batch.appended] == ["other"]
    assert batch.heads[there.origin].seq == 3


def test_a_sound_copy_ends_a_quarantine_and_a_damaged_one_does_not() -> None:
    here, there = pair()
    batch, sent = poisoned(here, there, ("k", b"1"), ("k", b"2"))
    waiting = [(held.appended, str(held.reason)) for held in batch.held]
    damaged = Sealed(sent[0].head, sent[0].salt, b"!")
    for copies, applied in (({}, 0), ({(there.origin, 1): damaged}, 0), ({(there.origin, 1): sent[0]}, 2)):
        again = here.arrivals()
        again.heads = batch.heads
        again.release_all(waiting, now=NOW, sound=copies)
        assert len(again.appended) == applied


def test_a_sound_copy_waits_where_something_earlier_of_its_key_does() -> None:
    here, there = pair()
    batch, _ = poisoned(here, there, ("k", b"1"))
    blocking = (batch.held[0].appended, "quarantined")
    there.write(b"2", now=NOW)
    later = there.log[there.origin][1]
    again = here.arrivals()
    again.release_all([blocking, (later, "quarantined")], now=NOW, sound={(there.origin, 2): later.sealed})
    assert again.appended == []
    assert [(held.appended.sealed.value, held.reason) for held in again.held] == [(b"2", "behind")]


def test_a_head_that_was_damaged_too_is_replaced_while_nothing_has_followed_it() -> None:
    here, there = pair()
    there.write(b"1", now=NOW)
    (sound,) = there.missing({})
    wrong = msgspec.structs.replace(decode_head(sound.head), size=9)
    batch = here.arrivals()
    batch.take_all([Sealed(head_bytes(wrong), sound.salt, b"1")], now=NOW, poison=[(there.origin, 1)])
    held = batch.held[0].appended
    for is_last in (True, False):
        again = here.arrivals()
        again.heads = {there.origin: Head(1, held.digest) if is_last else Head(2, b"next")}
        again.release_all([(held, "quarantined")], now=NOW, sound={(there.origin, 1): sound})
        assert len(again.appended) == is_last
        assert (again.heads[there.origin].digest == there.log[there.origin][0].digest) == is_last


def test_an_operation_of_another_stream_is_refused() -> None:
    here, there = pair()
    there.write(b"1", now=NOW)
    (sent,) = there.missing({})
    moved = msgspec.structs.replace(decode_head(sent.head), stream="profiles")
    with pytest.raises(Malformed, match="stream 'profiles'"):
        here.receive([Sealed(head_bytes(moved), sent.salt, sent.value)], now=NOW)


def test_a_write_from_the_future_waits_until_the_clock_gets_there_and_holds_only_its_key() -> None:
    here, there = pair()
    there.write(b"far", now=NOW + 60)
    there.write(b"later", now=NOW + 60)
    there.clock.last = 0
    there.write(b"now", now=NOW, key="other")
    assert here.receive(there.missing({}), now=NOW) == ["held", "held", "applied"]
    assert here.values() == set()
    assert here.values("other") == {b"now"}
    assert here.clock.stamp(now=NOW) < there.log[there.origin][0].operation.hlc
    assert here.release(now=NOW + 30) == 0
    assert here.release(now=NOW + 60) == 2
    assert here.state() == there.state()


def test_a_write_of_a_later_version_is_kept_and_not_applied() -> None:
    here, there = pair()
    there.write(b"1", now=NOW)
    (sent,) = there.missing({})
    fields = msgspec.msgpack.decode(sent.head)
    fields[0] = 99
    assert here.receive([Sealed(msgspec.msgpack.encode([*fields, "new"]), sent.salt, b"")], now=NOW) == ["held"]
    assert here.values() == set()
    assert here.release(now=NOW) == 0


def test_the_applied_vector_stops_below_what_is_held() -> None:
    assert applied_vector({"a": 9, "b": 4}, {"a": 3}) == {"a": 2, "b": 4}
    assert applied_vector({"a": 9}, {"a": 1}) == {}


def test_an_operation_knows_its_dot() -> None:
    here, _ = pair()
    here.write(b"1", now=NOW)
    assert operation_dot(here.log[here.origin][0].operation) == (here.origin, 1)


def test_a_batch_is_taken_up_to_its_first_fault_which_names_whom_it_concerns() -> None:
    here, there = pair()
    for value in (b"1", b"2", b"3"):
        there.write(value, now=NOW)
    sent = there.missing({})
    damaged = [sent[0], Sealed(sent[1].head, sent[1].salt, b"!"), sent[2]]
    for operations, heads, applied, kind, origin in (
        (sent, readable_heads(sent), 3, None, ""),
        (sent[1:], [], 0, "gap", there.origin),
        (damaged, readable_heads(damaged), 1, "malformed", there.origin),
        ([Sealed(b"garbage", b"", b"")], [], 0, "malformed", ""),
    ):
        batch = ArrivalBatch(
            stream="notes", own_origin=here.origin, clock=here.clock, plan=here.plan, heads={}, states={}
        )
        counts, problem = batch.take_all(operations, now=NOW, heads=heads)
        assert counts["applied"] == applied
        assert (problem.kind, problem.origin) == (kind, origin) if problem is not None else kind is None
