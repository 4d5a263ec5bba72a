"""A page is verified before it is believed, and changes only what a store could not have from its log."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sync.core.absorbing import AbsorbBatch, Entry, Page, Purpose, TooEarly
from sync.core.arrivals import operation_dot
from sync.core.digests import KeyRange
from sync.core.op_ids import OpId
from sync.core.operation import Malformed
from sync.core.reconciling import Side
from tests.harness.replicas import STREAM, Replica, plan

NOW = 1000.0


def page_of(replica: Replica) -> Page:
    """All of it."""
    operations = {(one.operation.origin, one.operation.seq): one for chain in replica.log.values() for one in chain}
    entries = tuple(
        Entry(
            key,
            state,
            tuple(operations[version.dot].sealed for version in state.versions),
            tuple(operations[dot].sealed for version in state.versions for dot in version.also if dot in operations),
        )
        for key, state in sorted(replica.states.items())
    )
    return Page(replica.vector(), {}, entries, None)


def batch_of(replica: Replica, purpose: Purpose, *, forgotten: int = 0) -> AbsorbBatch:
    side = Side(replica.vector(), {replica.origin: forgotten} if forgotten else {})
    read = {
        (one.operation.origin, one.operation.seq): one.operation.vector()
        for chain in replica.log.values()
        for one in chain
    }
    return AbsorbBatch(STREAM, purpose, replica.plan, replica.clock, side, dict(replica.states), read)


def test_a_new_store_takes_all_of_it_with_the_operations() -> None:
    source, target = Replica("eu", plan()), Replica("us", plan())
    source.write(b"1", now=NOW, key="a")
    source.write(b"2", now=NOW, key="b")
    batch = batch_of(target, "snapshot")
    batch.take(page_of(source), KeyRange(), now=NOW)
    assert batch.changed == source.states
    assert [one.sealed.value for one in batch.needed] == [b"1", b"2"]
    assert batch.repaired == []


def test_a_comparison_leaves_to_the_log_what_was_not_applied_here() -> None:
    source, target = Replica("eu", plan()), Replica("us", plan())
    source.write(b"1", now=NOW)
    batch = batch_of(target, "comparison")
    batch.take(page_of(source), KeyRange(), now=NOW)
    assert (batch.changed, batch.repaired, batch.suspected) == ({}, [], 0)


def test_what_this_store_lost_is_repaired_and_named() -> None:
    source, target = Replica("eu", plan()), Replica("us", plan())
    source.write(b"1", now=NOW)
    target.pull_from(source, now=NOW)
    target.states.clear()
    batch = batch_of(target, "comparison")
    batch.take(page_of(source), KeyRange(), now=NOW)
    assert (batch.changed, batch.repaired) == (source.states, ["k"])


def test_what_the_other_lost_is_suspected_and_kept() -> None:
    source, target = Replica("eu", plan()), Replica("us", plan())
    source.write(b"1", now=NOW)
    target.pull_from(source, now=NOW)
    source.states.clear()
    batch = batch_of(target, "comparison")
    batch.take(page_of(source), KeyRange(), now=NOW)
    assert (batch.changed, batch.suspected) == ({}, 1)


def test_nothing_is_compared_with_a_store_that_needs_a_snapshot() -> None:
    source, target = Replica("eu", plan()), Replica("us", plan())
    target.write(b"1", now=NOW)
    target.write(b"2", now=NOW)
    source.pull_from(target, now=NOW, at_most=1)
    target.states.clear()
    batch = batch_of(target, "comparison", forgotten=2)
    batch.take(page_of(source), KeyRange(), now=NOW)
    assert batch.changed == {}


@pytest.mark.parametrize("within", [KeyRange("k"), KeyRange("", "j")])
def test_a_key_outside_of_the_range_is_refused(within: KeyRange) -> None:
    source, target = Replica("eu", plan()), Replica("us", plan())
    source.write(b"1", now=NOW)
    with pytest.raises(Malformed, match="outside of the range"):
        batch_of(target, "snapshot").take(page_of(source), within, now=NOW)


def test_what_is_not_what_its_operation_says_is_refused() -> None:
    source, target = Replica("eu", plan()), Replica("us", plan())
    source.write(b"1", now=NOW)
    (entry,) = page_of(source).entries
    forged = msgspec.structs.replace(entry.state.versions[0], hlc=9)
    for bad, why in [
        (Entry("l", entry.state, entry.operations), "under notes/l"),
        (Entry("k", entry.state, ()), "1 versions of 'k' with 0 operations"),
        (Entry("k", msgspec.structs.replace(entry.state, versions=(forged,)), entry.operations), "not what its"),
    ]:
        with pytest.raises(Malformed, match=why):
            batch_of(target, "snapshot").take(Page({}, {}, (bad,), None), KeyRange(), now=NOW)


def test_what_lies_in_the_future_of_this_clock_is_not_taken_yet() -> None:
    source, target = Replica("eu", plan()), Replica("us", plan())
    source.write(b"1", now=NOW + 60)
    with pytest.raises(TooEarly):
        batch_of(target, "snapshot").take(page_of(source), KeyRange(), now=NOW)


def test_a_tombstone_beside_what_lives_is_taken_over_and_is_no_repair() -> None:
    source, target = Replica("eu", plan()), Replica("us", plan())
    source.write(b"1", now=NOW)
    read = source.state().context
    source.write(b"", now=NOW, kind="delete")
    source.write(b"2", now=NOW, context=read)
    target.pull_from(source, now=NOW)
    assert len(target.state().versions) == 2
    target.states["k"] = msgspec.structs.replace(target.state(), versions=target.state().versions[1:])
    batch = batch_of(target, "comparison")
    batch.take(page_of(source), KeyRange(), now=NOW)
    assert batch.changed == source.states
    assert (batch.repaired, batch.suspected) == ([], 0)


def test_what_an_event_had_replaced_under_its_other_dot_does_not_come_back() -> None:
    here, there, third = Replica("eu", plan()), Replica("us", plan()), Replica("ap", plan())
    third.write(b"old", now=NOW)
    there.pull_from(third, now=NOW)
    asked: dict[str, Any] = {"kind": "delete", "op_id": OpId("desk", 1), "request": b"r"}
    here.write(b"x", now=NOW)
    here.write(b"", now=NOW, **{**asked, "context": here.state().context})
    there.write(b"", now=NOW, **{**asked, "context": there.state().context})
    before = page_of(third)
    for replica in (here, there):
        replica.pull_from(here, now=NOW)
        replica.pull_from(there, now=NOW)
        batch = batch_of(replica, "comparison")
        batch.take(before, KeyRange(), now=NOW)
        assert (batch.repaired, batch.changed) == ([], {})


def test_what_a_store_put_back_to_an_old_state_did_again_is_gone_where_the_first_of_it_is_replaced() -> None:
    there, here = Replica("us", plan()), Replica("eu", plan(), incarnation="bbbb")
    asked: dict[str, Any] = {"op_id": OpId("desk", 1), "request": b"r"}
    there.write(b"x", now=NOW, **asked)
    there.write(b"", now=NOW, kind="delete", context=there.state().context)
    here.write(b"x", now=NOW, **asked)
    here.write(b"mine", now=NOW, key="other")
    batch = batch_of(here, "snapshot")
    batch.done = dict(there.done)
    batch.take(page_of(there), KeyRange(), now=NOW)
    assert not batch.changed["k"].is_live
    assert "other" not in batch.changed


def test_what_a_store_did_again_is_one_event_where_the_first_of_it_still_stands() -> None:
    there, here = Replica("us", plan()), Replica("eu", plan(), incarnation="bbbb")
    asked: dict[str, Any] = {"op_id": OpId("desk", 1), "request": b"r"}
    there.write(b"x", now=NOW, **asked)
    here.write(b"x", now=NOW, **asked)
    batch = batch_of(here, "snapshot")
    batch.done = dict(there.done)
    batch.take(page_of(there), KeyRange(), now=NOW)
    (version,) = batch.changed["k"].versions
    assert set(version.dots) == {(here.origin, 1), (there.origin, 1)}


def test_a_disk_that_lost_a_key_and_saw_an_event_sent_twice_proves_nothing_against_what_was_there_before() -> None:
    here, rotten = Replica("eu", plan()), Replica("us", plan())
    here.write(b"old", now=NOW)
    rotten.pull_from(here, now=NOW)
    asked: dict[str, Any] = {"op_id": OpId("desk", 1), "request": b"r"}
    here.write(b"new", now=NOW, **asked)
    rotten.write(b"new", now=NOW, **asked)
    here.pull_from(rotten, now=NOW)
    rotten.pull_from(here, now=NOW)
    held = rotten.state()
    rotten.states["k"] = msgspec.structs.replace(held, versions=held.versions[1:])
    batch = batch_of(here, "comparison")
    batch.take(page_of(rotten), KeyRange(), now=NOW)
    assert batch.changed == {}
    assert here.values() == {b"old", b"new"}


def test_a_store_that_came_by_a_snapshot_is_told_by_the_page_what_the_other_writer_of_an_event_had_read() -> None:
    here, rotten = Replica("eu", plan()), Replica("us", plan())
    here.write(b"old", now=NOW)
    rotten.pull_from(here, now=NOW)
    asked: dict[str, Any] = {"op_id": OpId("desk", 1), "request": b"r"}
    here.write(b"new", now=NOW, **asked)
    rotten.write(b"new", now=NOW, **asked)
    here.pull_from(rotten, now=NOW)
    rotten.pull_from(here, now=NOW)
    event = rotten.state().versions[1]
    rotten.states["k"] = msgspec.structs.replace(rotten.state(), versions=(event,))
    for is_old, expected in ((False, {b"old", b"new"}), (True, {b"new"})):
        batch = batch_of(here, "comparison")
        batch.read = {dot: read for dot, read in batch.read.items() if dot not in event.also}
        page = page_of(rotten)
        if is_old:  # of a version that does not send them: the fallback, which is not to be wished for
            page = msgspec.structs.replace(
                page, entries=tuple(msgspec.structs.replace(entry, aliases=()) for entry in page.entries)
            )
        batch.take(page, KeyRange(), now=NOW)
        state = batch.changed.get("k", here.state())
        log = {operation_dot(one.operation): one.sealed.value for chain in here.log.values() for one in chain}
        assert {log[version.dot] for version in state.versions} == expected


def test_a_snapshot_brings_both_operations_of_an_event_and_takes_no_other_for_one() -> None:
    here, there, target = Replica("eu", plan()), Replica("us", plan()), Replica("ap", plan())
    asked: dict[str, Any] = {"op_id": OpId("desk", 1), "request": b"r"}
    here.write(b"v", now=NOW, **asked)
    there.write(b"v", now=NOW, **asked)
    there.write(b"other", now=NOW)
    here.pull_from(there, now=NOW)
    batch = batch_of(target, "snapshot")
    batch.take(page_of(here), KeyRange(), now=NOW)
    assert {operation_dot(one.operation) for one in batch.needed} == {
        (here.origin, 1),
        (there.origin, 1),
        (there.origin, 2),
    }
    (entry,) = page_of(here).entries
    foreign = there.log[there.origin][1].sealed
    bad = msgspec.structs.replace(entry, aliases=(foreign,))
    with pytest.raises(Malformed, match="none of an event"):
        batch_of(target, "snapshot").take(Page({}, {}, (bad,), None), KeyRange(), now=NOW)


def test_a_damaged_value_costs_its_key_and_a_damaged_alias_nothing() -> None:
    here, there, target = Replica("eu", plan()), Replica("us", plan()), Replica("ap", plan())
    asked: dict[str, Any] = {"op_id": OpId("desk", 1), "request": b"r"}
    here.write(b"v", now=NOW, **asked)
    there.write(b"v", now=NOW, **asked)
    here.write(b"w", now=NOW, key="l")
    here.pull_from(there, now=NOW)
    event, other = page_of(here).entries
    damaged = [msgspec.structs.replace(one, value=b"!") for one in (*event.operations, *event.aliases)]
    for bad, changed, count in (
        (msgspec.structs.replace(event, operations=(damaged[0],)), {"l"}, 1),
        (msgspec.structs.replace(event, aliases=(damaged[1],)), {"k", "l"}, 0),
    ):
        batch = batch_of(target, "snapshot")
        batch.take(Page(here.vector(), {}, (bad, other), None), KeyRange(), now=NOW)
        assert (set(batch.changed), batch.damaged) == (changed, count)
