"""C4 is seen to be broken where it is."""

from __future__ import annotations

import pytest

from chaos.checking import causality
from chaos.traffic.history import History, Seen
from tests.unit.chaos.histories import well, write


def glance(status: int, value: str | None, knew: int, *, was_deleted: bool = False) -> Seen:
    return Seen("o", "us-east", "notes", "chain/1", 14.0, status, value, knew, was_deleted)


def chain() -> History:
    history = well()
    history.operations.append(write("c:3", "chain/1", discipline="chain", place=3, value=None, at=13.0))
    return history


def test_who_looks_on_sees_later_links_only_and_perhaps_nothing_at_first_or_after_a_delete() -> None:
    history = chain()
    history.glances += [glance(404, None, 0), glance(200, "c:1", 0), glance(200, "c:2", 1), glance(404, None, 2)]
    assert [*causality.violations(history)] == []


def test_two_links_side_by_side_are_seen_and_siblings_that_are_no_links_are_not() -> None:
    history = chain()
    history.reads.append(Seen("c", "us-east", "notes", "chain/1", 13.0, 300, None, 1, beside=("c:1", "c:2")))
    history.reads.append(Seen("c", "us-east", "notes", "heap/1", 13.0, 300, None, 1, beside=("a:1", "b:1")))
    assert [*causality.violations(history)] == ["c saw places [1, 2] of chain/1 side by side in us-east"]


@pytest.mark.parametrize(
    "back", [glance(200, "c:1", 2), glance(200, "c:2", 3, was_deleted=True), glance(404, None, 3)], ids=str
)
def test_an_earlier_link_after_a_later_one_is_seen_also_after_a_delete(back: Seen) -> None:
    history = chain()
    history.glances.append(back)
    assert len([*causality.violations(history)]) == 1
