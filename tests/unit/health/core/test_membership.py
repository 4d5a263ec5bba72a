"""Which change of the acceptor set is next, and how it comes about."""

from __future__ import annotations

import pytest

from health.core.acceptor import Done, Install, Meta, Refusal, Register, Shown
from health.core.membership import Plan, Reform, View, plan_of, view_of, waits_for

SET = {"a": "1", "b": "2", "c": "3"}


def member(name: str, *, generation: int = 1, members: dict[str, str] = SET, sealed: int = 1) -> Meta:
    return Meta(members[name], generation=generation, members=members, sealed=sealed)


GOOD = {name: member(name) for name in SET}


def test_nothing_is_to_do_when_all_is_well() -> None:
    assert plan_of(SET, GOOD, may_change=True) is None
    assert waits_for(SET, GOOD) is None
    assert view_of(GOOD) == View(1, SET)


def test_the_first_set_needs_every_configured_acceptor_once() -> None:
    fresh = {name: Meta(one) for name, one in SET.items()}
    assert plan_of(SET, fresh, may_change=False) == Plan(None, SET, 0, "first set")
    del fresh["b"]
    assert plan_of(SET, fresh, may_change=False) is None
    assert waits_for(SET, fresh) == "the first set of acceptors needs all of them once: b did not answer"


def test_a_member_that_lost_its_memory_is_re_admitted_by_anyone() -> None:
    plan = plan_of(SET, {**GOOD, "b": Meta("9")}, may_change=False)
    assert plan is not None
    assert (plan.base, plan.members, plan.why) == (View(1, SET), {**SET, "b": "9"}, "b lost its memory")


def test_only_the_leader_adds_and_removes_and_one_at_a_time() -> None:
    more = {**GOOD, "d": Meta("4"), "e": Meta("5")}
    assert plan_of("abcde", more, may_change=False) is None
    grown = plan_of("abcde", more, may_change=True)
    assert grown is not None
    assert grown.members == {**SET, "d": "4"}
    shrunk = plan_of("a", GOOD, may_change=True)
    assert shrunk is not None
    assert shrunk.members == {"a": "1", "c": "3"}
    replaced = plan_of("abd", {**GOOD, "d": Meta("4")}, may_change=True)
    assert replaced is not None
    assert replaced.members == {**SET, "d": "4"}


def test_what_was_left_half_done_is_finished() -> None:
    plan = plan_of(SET, {**GOOD, "b": member("b", sealed=4)}, may_change=False)
    assert plan is not None
    assert (plan.members, plan.above) == (SET, 4)


def test_too_few_who_vote_are_said() -> None:
    assert waits_for(SET, {"a": GOOD["a"], "b": Meta("9")}) == "1 of 3 acceptors vote, expected at least 2"


def shown(meta: Meta, value: str | None = None) -> Shown:
    register = {"r": Register((1, "x"), (1, "x"), value)} if value else {}
    return Shown(meta, register, is_whole=True)


def test_a_majority_is_sealed_then_what_it_showed_is_installed_at_all() -> None:
    abouts = {**GOOD, "b": Meta("9")}
    plan = plan_of(SET, abouts, may_change=False)
    assert plan is not None
    reform = Reform(plan, abouts)
    assert {name: one.generation for name, one in reform.start().items()} == dict.fromkeys("abc", 2)
    assert reform.hear("a", shown(member("a", sealed=2), "v")) == {}
    assert reform.hear("b", shown(Meta("9", sealed=2))) == {}
    installs = reform.hear("c", shown(member("c", sealed=2)))
    assert set(installs) == set("abc")
    first = installs["b"]
    assert isinstance(first, Install)
    assert (first.members["b"], first.registers["r"].value) == ("9", "v")
    reform.hear("b", Done(Meta("9")))
    assert not reform.is_over
    reform.hear("a", Done(GOOD["a"]))
    assert reform.is_done


def test_the_first_set_waits_for_every_seal() -> None:
    plan = Plan(None, SET, 0, "first set")
    reform = Reform(plan, {})
    assert reform.hear("a", shown(Meta("1"))) == {}
    assert reform.hear("b", shown(Meta("2"))) == {}
    assert set(reform.hear("c", shown(Meta("3")))) == set(SET)


@pytest.mark.parametrize(
    "answer",
    [
        Refusal(GOOD["a"], "set"),
        shown(member("a", generation=5, sealed=6)),
    ],
)
def test_a_world_that_is_not_as_it_was_seen_ends_the_attempt(answer: Refusal | Shown) -> None:
    plan = plan_of(SET, {**GOOD, "b": Meta("9")}, may_change=False)
    assert plan is not None
    reform = Reform(plan, GOOD)
    reform.hear("a", answer)
    assert reform.is_failed
