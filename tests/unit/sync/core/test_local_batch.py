from __future__ import annotations

import pytest

from sync.core.clock import Clock, stamp_of
from sync.core.dots import origin_name
from sync.core.local_batch import Head, LocalBatch, entity_tag, is_known
from sync.core.op_ids import OpId, of_idempotency_key
from sync.core.operation import GENESIS
from sync.core.policy import ConflictPolicy
from sync.core.writes import Refusal, Write, Written
from tests.harness.replicas import SKEW_S, STREAM, Replica, plan

NOW = 1000.0


def refusal(result: Written | Refusal) -> Refusal:
    assert isinstance(result, Refusal)
    return result


def written(result: Written | Refusal) -> Written:
    assert isinstance(result, Written), result
    return result


def test_sequences_have_no_gaps_and_each_operation_names_the_one_before() -> None:
    replica = Replica("eu", plan("last_write_wins"))
    replica.write(b"1", now=NOW)
    refusal(replica.write(b"2", now=NOW, must_be_absent=True))
    replica.write(b"3", now=NOW, key="other")
    first, second = replica.log[replica.origin]
    assert (first.operation.seq, second.operation.seq) == (1, 2)
    assert first.operation.previous == GENESIS
    assert second.operation.previous == first.digest


def test_statuses_say_whether_the_key_was_there() -> None:
    replica = Replica("eu", plan("last_write_wins"))
    assert written(replica.write(b"1", now=NOW)).status == 201
    assert written(replica.write(b"2", now=NOW)).status == 200
    assert written(replica.write(now=NOW, kind="delete")).status == 204
    assert refusal(replica.write(now=NOW, kind="delete")).status == 404
    assert written(replica.write(b"3", now=NOW)).status == 201


def test_if_match_compares_with_what_is_there() -> None:
    replica = Replica("eu", plan("last_write_wins"))
    assert refusal(replica.write(b"1", now=NOW, if_match=("*",))).status == 412
    first = written(replica.write(b"1", now=NOW))
    tag = entity_tag(first.state)
    assert written(replica.write(b"2", now=NOW, if_match=("x", tag))).status == 200
    assert refusal(replica.write(b"3", now=NOW, if_match=(tag,))).reason == "precondition_failed"
    assert replica.values() == {b"2"}


def test_a_write_that_matched_replaces_under_every_policy() -> None:
    replica = Replica("eu", plan("vector_clock"))
    tag = entity_tag(written(replica.write(b"1", now=NOW)).state)
    replica.write(b"2", now=NOW, if_match=(tag,))
    assert replica.values() == {b"2"}


@pytest.mark.parametrize(("policy", "values"), [("last_write_wins", {b"2"}), ("vector_clock", {b"1", b"2"})])
def test_a_blind_write(policy: ConflictPolicy, values: set[bytes]) -> None:
    replica = Replica("eu", plan(policy))
    replica.write(b"1", now=NOW)
    replica.write(b"2", now=NOW)
    assert replica.values() == values


def test_siblings_are_bounded_for_blind_writes_and_go_with_one_that_has_read_them() -> None:
    replica = Replica("eu", plan("vector_clock", max_siblings=2))
    replica.write(b"1", now=NOW)
    replica.write(b"2", now=NOW)
    refused = refusal(replica.write(b"3", now=NOW))
    assert (refused.status, refused.reason) == (409, "too_many_siblings")
    written(replica.write(b"4", now=NOW, context=replica.state().context))
    assert replica.values() == {b"4"}


def test_the_same_operation_id_is_done_once_and_answered_again() -> None:
    replica = Replica("eu", plan("vector_clock"))
    first = written(replica.write(b"1", now=NOW, op_id=OpId("desk", 1), request=b"r"))
    again = written(replica.write(b"1", now=NOW, op_id=OpId("desk", 1), request=b"r"))
    assert (again.status, again.origin, again.seq, again.is_replay) == (201, first.origin, first.seq, True)
    assert len(replica.log[replica.origin]) == 1
    other = refusal(replica.write(b"2", now=NOW, op_id=OpId("desk", 1), request=b"s"))
    assert (other.status, other.reason) == (422, "operation_id_reused")


def test_an_operation_that_was_refused_may_be_sent_again_under_its_id() -> None:
    replica = Replica("eu", plan("last_write_wins"))
    refusal(replica.write(b"1", now=NOW, if_match=("*",), op_id=OpId("desk", 1), request=b"r"))
    written(replica.write(b"1", now=NOW, op_id=OpId("desk", 1), request=b"s"))


def test_an_operation_far_below_the_clients_latest_is_not_guessed_about() -> None:
    replica = Replica("eu", plan("last_write_wins"))
    replica.write(b"1", now=NOW, op_id=OpId("desk", 9000), request=b"r")
    assert refusal(replica.write(b"2", now=NOW, op_id=OpId("desk", 1), request=b"r")).reason == "operation_forgotten"


def test_an_idempotency_key_works_like_an_operation_id() -> None:
    replica = Replica("eu", plan("last_write_wins"))
    key = of_idempotency_key("word")
    replica.write(b"1", now=NOW, op_id=key, request=b"r")
    assert written(replica.write(b"1", now=NOW, op_id=key, request=b"r")).is_replay
    assert refusal(replica.write(b"1", now=NOW, op_id=key, request=b"s")).status == 422


def test_a_patch_merges_into_what_is_there() -> None:
    replica = Replica("eu", plan("last_write_wins"))
    replica.write(b'{"a":1}', now=NOW, kind="patch")
    replica.write(b'{"b":2}', now=NOW, kind="patch")
    assert replica.values() == {b'{"a":1,"b":2}'}
    assert replica.log[replica.origin][-1].operation.kind == "put"
    assert refusal(replica.write(b"nonsense", now=NOW, kind="patch")).status == 422


def test_a_patch_of_concurrent_versions_is_refused() -> None:
    replica = Replica("eu", plan("vector_clock"))
    replica.write(b"{}", now=NOW)
    replica.write(b"{}", now=NOW)
    assert refusal(replica.write(b"{}", now=NOW, kind="patch")).reason == "in_conflict"


def test_an_offline_queues_blind_write_to_a_key_that_waits_for_a_person_is_refused() -> None:
    replica = Replica("eu", plan("manual"))
    replica.write(b"1", now=NOW)
    replica.write(b"2", now=NOW)
    assert refusal(replica.write(b"3", now=NOW, needs_context=True)).reason == "in_conflict"
    written(replica.write(b"4", now=NOW, kind="resolve"))
    assert replica.values() == {b"4"}
    assert refusal(replica.write(b"5", now=NOW, kind="resolve")).reason == "not_in_conflict"


def test_a_write_is_stamped_above_all_that_its_client_has_seen() -> None:
    replica = Replica("eu", plan("last_write_wins"))
    seen = stamp_of(NOW + SKEW_S / 2)
    assert written(replica.write(b"1", now=NOW, seen_hlc=seen)).hlc > seen
    assert refusal(replica.write(b"2", now=NOW, seen_hlc=stamp_of(NOW + 60))).reason == "clock_behind"


def test_a_conflicting_write_is_refused_while_the_conflict_log_is_full() -> None:
    clock = Clock(max_skew_s=SKEW_S)
    origin = origin_name("eu", "store", "aaaa")
    batch = LocalBatch(
        origin=origin,
        clock=clock,
        plans={STREAM: plan("last_write_wins")},
        heads={},
        states={},
        has_conflict_room=False,
    )
    written(batch.take(Write(stream=STREAM, key="k", kind="put", value=b"1"), salt=b"s", now=NOW))
    stale = Write(stream=STREAM, key="k", kind="put", value=b"2", context={})
    assert refusal(batch.take(stale, salt=b"s", now=NOW)).status == 507
    assert batch.heads[STREAM].seq == 1
    written(batch.take(Write(stream=STREAM, key="k", kind="put", value=b"3"), salt=b"s", now=NOW))
    assert [one.operation.seq for one in batch.appended] == [1, 2]
    assert batch.heads[STREAM] == Head(2, batch.appended[-1].digest)


def test_a_state_knows_the_writes_that_it_has_seen() -> None:
    replica = Replica("eu", plan("last_write_wins"))
    result = written(replica.write(b"1", now=NOW))
    assert is_known(replica.state(), result.origin, result.seq)
    assert not is_known(replica.state(), result.origin, result.seq + 1)


@pytest.mark.parametrize("policy", ["vector_clock", "manual", "last_write_wins"])
def test_where_one_region_takes_all_writes_a_blind_one_follows_the_last(policy: ConflictPolicy) -> None:
    replica = Replica("eu", plan(policy, primary="eu"))
    replica.write(b"1", now=NOW)
    written(replica.write(b"2", now=NOW))
    assert replica.values() == {b"2"}


def test_a_blind_write_leaves_what_a_deposed_primary_has_written_for_somebody_who_has_read_it() -> None:
    one, other = (Replica(region, plan("vector_clock", primary="eu")) for region in ("eu", "us"))
    one.write(b"tail of eu", now=NOW)
    other.write(b"us", now=NOW)
    other.pull_from(one, now=NOW)
    other.write(b"blind", now=NOW)
    assert b"tail of eu" in other.values()
