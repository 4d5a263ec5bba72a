"""Changes of a register, over acceptors that answer, refuse or are silent."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from health.core.acceptor import Install, Meta, Register, react
from health.core.membership import View
from health.core.rounds import Fencing, Round, unchanged
from health.core.rows import Conflict, StaleEpoch

NAMES = ("a", "b", "c")
VIEW = View(1, {name: name for name in NAMES})


class Three:
    def __init__(self) -> None:
        self.metas = {name: Meta(name) for name in NAMES}
        self.registers: dict[str, dict[str, Register]] = {name: {} for name in NAMES}
        for name in NAMES:
            self.ask(name, Install(name, 1, VIEW.members, {}, 0))

    def ask(self, name: str, request: Any) -> Any:
        reaction = react(self.metas[name], self.registers[name], request, fresh="x")
        self.metas[name] = reaction.meta or self.metas[name]
        for register, value in reaction.changes.items():
            assert value is not None
            self.registers[name][register] = value
        return reaction.answer

    def carry(self, work: Round | Fencing, *, among: Collection[str] = NAMES) -> None:
        waiting = list(work.start().items())
        while waiting and not work.is_over:
            name, request = waiting.pop(0)
            if name in among:
                waiting += list(work.hear(name, self.ask(name, request)).items())

    def change(
        self, number: int, how: Any, *, among: Collection[str] = NAMES, epoch: int | None = None, view: View = VIEW
    ) -> Round:
        work = Round(view, "r", (number, "x"), how, epoch=epoch)
        self.carry(work, among=among)
        return work


def counted(current: Any) -> Any:
    return (current or 0) + 1


def refused(current: Any) -> Any:
    raise Conflict(f"found {current}")


def test_a_majority_is_enough_and_the_next_change_builds_on_it() -> None:
    three = Three()
    assert three.change(1, counted, among="ab").value == 1
    assert three.change(2, counted, among="bc").value == 2
    assert three.change(3, unchanged, among="ac").value == 2


def test_without_a_majority_nothing_is_chosen_and_nothing_claimed() -> None:
    work = Three().change(1, counted, among="a")
    assert (work.is_over, work.is_chosen, work.failure) == (False, False, None)


def test_a_higher_promise_beats_the_round_and_says_by_what() -> None:
    three = Three()
    three.change(9, counted)
    work = three.change(3, counted)
    assert (work.is_chosen, work.is_lost, work.beaten_by) == (False, True, (9, "x"))


def test_a_value_that_only_one_accepted_is_finished_by_the_next() -> None:
    three = Three()
    half = Round(VIEW, "r", (1, "x"), counted)
    for name in "ab":
        for other, request in half.hear(name, three.ask(name, half.start()[name])).items():
            if other == "a":
                half.hear(other, three.ask(other, request))
    assert not half.is_chosen
    assert three.change(2, unchanged, among="ac").value == 1


def test_a_change_that_cannot_be_makes_sure_of_what_it_met_and_fails() -> None:
    three = Three()
    three.change(1, counted)
    work = three.change(2, refused)
    assert (work.is_chosen, work.value, str(work.failure)) == (True, 1, "found 1")
    nothing = Three().change(1, refused)
    assert (nothing.is_chosen, str(nothing.failure)) == (True, "found None")


def test_an_older_leader_is_refused_by_a_majority_that_was_fenced() -> None:
    three = Three()
    fencing = Fencing(VIEW, 7)
    three.carry(fencing, among="ab")
    assert fencing.is_chosen
    work = three.change(1, counted, epoch=6)
    assert not work.is_chosen
    with pytest.raises(StaleEpoch, match="found the epoch 7 in the store, expected at most 6"):
        raise work.failure or AssertionError
    older = Fencing(VIEW, 6)
    three.carry(older)
    assert isinstance(older.failure, StaleEpoch)
    assert three.change(2, counted, epoch=7).is_chosen


def test_acceptors_of_another_set_end_the_round_at_once() -> None:
    work = Three().change(1, counted, view=View(2, VIEW.members))
    assert (work.is_lost, work.beaten_by, work.failure) == (True, None, None)


def test_an_answer_that_comes_twice_counts_once() -> None:
    three = Three()
    work = Round(VIEW, "r", (1, "x"), counted)
    promise = three.ask("a", work.start()["a"])
    assert work.hear("a", promise) == {}
    assert work.hear("a", promise) == {}
    assert work.hear("stranger", promise) == {}
