from __future__ import annotations

import pytest

from sync.core.op_ids import WINDOW, Done, OpId, judge, of_idempotency_key, parse_op_id

DONE = Done(b"r", "eu:s000.aaaa", 1, 201)


def test_an_operation_id_is_a_client_and_a_sequence() -> None:
    assert parse_op_id("desk-1:42") == OpId("desk-1", 42)
    assert str(OpId("desk-1", 42)) == "desk-1:42"


@pytest.mark.parametrize(
    "text", ["", "desk", "desk:", ":1", "desk:0", "desk:-1", "desk:1.5", "d k:1", "desk:" + "9" * 19, "key x:1"]
)
def test_what_is_no_operation_id_is_refused(text: str) -> None:
    assert parse_op_id(text) is None


def test_an_idempotency_key_is_a_client_of_its_own_that_no_operation_id_can_name() -> None:
    op_id = of_idempotency_key("9f2c: any word")
    assert op_id is not None
    assert op_id.is_key
    assert op_id.sequence == 1
    assert parse_op_id(str(op_id)) is None
    assert of_idempotency_key("another") != op_id


@pytest.mark.parametrize("text", ["", " ", "x" * 256, "a\tb", "é"])
def test_what_is_no_idempotency_key_is_refused(text: str) -> None:
    assert of_idempotency_key(text) is None


def test_a_repeated_id_is_judged_by_its_request() -> None:
    assert judge(OpId("desk", 5), highest=9, done=DONE, request=b"r") == "same"
    assert judge(OpId("desk", 5), highest=9, done=DONE, request=b"other") == "different"


def test_sequences_may_come_in_any_order_within_the_window() -> None:
    assert judge(OpId("desk", 10), highest=9, done=None, request=b"r") == "new"
    assert judge(OpId("desk", 5), highest=9, done=None, request=b"r") == "new"
    assert judge(OpId("desk", 1), highest=WINDOW, done=None, request=b"r") == "new"
    assert judge(OpId("desk", 1), highest=WINDOW + 1, done=None, request=b"r") == "forgotten"


def test_an_idempotency_key_has_no_window() -> None:
    op_id = of_idempotency_key("word")
    assert op_id is not None
    assert judge(op_id, highest=10**9, done=None, request=b"r") == "new"
