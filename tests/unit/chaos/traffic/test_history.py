"""The record, and the questions that it answers itself."""

from __future__ import annotations

from chaos.traffic.history import History, Note, within
from tests.unit.chaos.histories import exchange, well, write


def test_only_what_was_acknowledged_counts_as_that() -> None:
    history = History()
    history.operations += [write("a:1", "k"), write("b:1", "k")]
    history.operations[1].acknowledged_at = None
    assert [one.op_id for one in history.acknowledged()] == ["a:1"]


def test_the_fault_lasts_from_the_first_to_the_last_healing() -> None:
    history = well()
    history.notes += [Note(12.0, "more", "fault"), Note(25.0, "healed", "healed")]
    assert history.fault_span() == (10.0, 25.0)
    assert History().fault_span() == (0.0, 0.0)


def test_requests_belong_to_the_span_in_which_they_began() -> None:
    asked = [exchange("a", 9.9), exchange("b", 10.0), exchange("c", 20.0)]
    assert [one.token for one in within(asked, (10.0, 20.0))] == ["b"]
