"""What follows what, and what a store refuses."""

from __future__ import annotations

import msgspec
import pytest

from health.core.rows import (
    MAX_EPOCH,
    MAX_VALUE_BYTES,
    Conflict,
    NotStorable,
    Row,
    StaleEpoch,
    checked,
    next_row,
    understood,
)


class Drain(msgspec.Struct):
    over_s: float


def test_versions_go_on_over_a_delete_so_that_an_old_version_is_never_right_again() -> None:
    first = next_row(None, "drain", "eu", {"a": 1}, expected=0, epoch=None)
    gone = next_row(first, "drain", "eu", None, expected=1, epoch=None)
    again = next_row(gone, "drain", "eu", {"a": 2}, expected=0, epoch=None)
    assert [first.version, gone.version, again.version] == [1, 2, 3]
    with pytest.raises(Conflict) as refused:
        next_row(again, "drain", "eu", {"a": 3}, expected=1, epoch=None)
    assert refused.value.current == again


def test_a_new_row_is_refused_where_one_stands() -> None:
    there = Row("drain", "eu", {}, 4)
    with pytest.raises(Conflict, match="found version 4 of drain/eu, expected 0"):
        next_row(there, "drain", "eu", {}, expected=0, epoch=None)


def test_an_operators_act_keeps_the_epoch_and_an_older_leader_is_refused() -> None:
    led = next_row(None, "decision", "1", {}, expected=0, epoch=7)
    assert next_row(led, "decision", "1", {}, expected=1, epoch=None).epoch == 7
    assert next_row(led, "decision", "1", {}, expected=None, epoch=8).epoch == 8
    with pytest.raises(StaleEpoch, match="found epoch 7 on decision/1, expected at most 6"):
        next_row(led, "decision", "1", {}, expected=1, epoch=6)


@pytest.mark.parametrize(
    ("kind", "key", "value", "epoch"),
    [
        ("", "eu", {}, None),
        ("drain", "a b", {}, None),
        ("drain", "x" * 201, {}, None),
        ("drain", "eu", {"x": "y" * MAX_VALUE_BYTES}, None),
        ("drain", "eu", {"x": object()}, None),
        ("drain", "eu", {}, 0),
        ("drain", "eu", {}, MAX_EPOCH + 1),
    ],
)
def test_what_no_retry_can_store_is_refused_at_once(kind: str, key: str, value: dict[str, object], epoch: int) -> None:
    with pytest.raises(NotStorable, match=r"expected|no JSON"):
        checked(kind, key, value, epoch)


def test_values_of_another_shape_are_contained_and_named() -> None:
    good, bad = Row("drain", "eu", {"over_s": 60.0}, 1), Row("drain", "us", {"over_s": "soon"}, 1)
    known, troubles = understood([good, bad], Drain)
    assert known == [(good, Drain(60.0))]
    assert str(troubles[0]).startswith("state row drain/us: found a value of another shape: ")
