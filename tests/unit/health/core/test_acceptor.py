"""One acceptor's answers, one request at a time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from health.core import acceptor
from health.core.acceptor import (
    Accept,
    Accepted,
    Answer,
    Done,
    Forget,
    Inspect,
    Install,
    Meta,
    Prepare,
    Promise,
    Raise,
    Refusal,
    Register,
    Request,
    Scan,
    Seal,
    Shown,
    merged,
    needs_all,
    react,
    register_of,
)


class Durable:
    """What a shell does: changes first, then the answer."""

    def __init__(self) -> None:
        self.meta = Meta("one")
        self.registers: dict[str, Register] = {}

    def ask(self, request: Request) -> Answer:
        reaction = react(self.meta, self.registers, request, fresh="two")
        self.meta = reaction.meta or self.meta
        for name, register in reaction.changes.items():
            if register is None:
                del self.registers[name]
            else:
                self.registers[name] = register
        return reaction.answer


@pytest.fixture
def member() -> Durable:
    made = Durable()
    made.ask(Install("a", 1, {"a": "one", "b": "other"}, {}, 0))
    return made


def prepare(n: int, *, generation: int = 1, incarnation: str = "one") -> Prepare:
    return Prepare(generation, incarnation, "r", (n, "x"))


def accept(n: int, value: Any, epoch: int | None = None) -> Accept:
    return Accept(1, "one", "r", (n, "x"), value, epoch)


def test_a_fresh_acceptor_abstains_from_everything_but_saying_who_it_is() -> None:
    fresh = Durable()
    assert isinstance(fresh.ask(Inspect()), Done)
    for request in (prepare(1), accept(1, "v"), Raise(1, "one", 1)):
        refused = fresh.ask(request)
        assert isinstance(refused, Refusal)
        assert refused.reason == "set"


def test_a_promise_shuts_out_lower_ballots_and_shows_what_was_accepted(member: Durable) -> None:
    assert isinstance(member.ask(prepare(5)), Promise)
    refused = member.ask(accept(4, "low"))
    assert isinstance(refused, Refusal)
    assert (refused.reason, refused.promised) == ("ballot", (5, "x"))
    assert isinstance(member.ask(accept(5, "v")), Accepted)
    promise = member.ask(prepare(6))
    assert isinstance(promise, Promise)
    assert (promise.accepted, promise.value) == ((5, "x"), "v")


def test_a_request_for_another_generation_or_incarnation_is_refused(member: Durable) -> None:
    for request in (prepare(1, generation=2), prepare(1, incarnation="two")):
        refused = member.ask(request)
        assert isinstance(refused, Refusal)
        assert refused.reason == "set"


def test_the_fence_only_rises_and_stops_older_leaders(member: Durable) -> None:
    assert isinstance(member.ask(Raise(1, "one", 7)), Done)
    member.ask(prepare(1))
    for request in (accept(1, "old", 6), Raise(1, "one", 6), Prepare(1, "one", "r", (2, "x"), 6)):
        refused = member.ask(request)
        assert isinstance(refused, Refusal)
        assert refused.reason == "epoch"
    assert isinstance(member.ask(accept(1, "new", 9)), Accepted)
    assert member.meta.fence == 9
    assert isinstance(member.ask(accept(1, "an operator's", None)), Accepted)


def test_a_sealed_acceptor_shows_all_and_votes_no_more_until_it_is_installed(member: Durable) -> None:
    member.ask(prepare(1))
    member.ask(accept(1, "v"))
    shown = member.ask(Seal(2))
    assert isinstance(shown, Shown)
    assert shown.registers["r"].value == "v"
    assert isinstance(member.ask(prepare(2)), Refusal)
    assert isinstance(member.ask(Seal(2)), Refusal)
    assert isinstance(member.ask(Install("a", 1, {"a": "one"}, {}, 0)), Refusal)
    better = {"r": Register((9, "y"), (9, "y"), "w")}
    assert isinstance(member.ask(Install("a", 2, {"a": "one"}, better, 3)), Done)
    assert (member.registers["r"].value, member.meta.fence, member.meta.generation) == ("w", 3, 2)


def test_nobody_is_installed_who_is_not_meant(member: Durable) -> None:
    assert isinstance(member.ask(Install("a", 2, {"a": "another life"}, {}, 0)), Refusal)


def test_a_restored_memory_is_given_up_for_another_incarnation(member: Durable) -> None:
    member.ask(prepare(1))
    assert isinstance(member.ask(Forget("not me")), Refusal)
    assert isinstance(member.ask(Forget("one")), Done)
    assert (member.meta.incarnation, member.meta.generation, member.registers) == ("two", 0, {})


def test_a_scan_shows_what_is_new_to_who_knows_this_incarnation(member: Durable) -> None:
    member.ask(prepare(1))
    member.ask(accept(1, "v"))
    seen = member.meta.tick
    nothing = member.ask(Scan("one", seen))
    assert isinstance(nothing, Shown)
    assert (nothing.registers, nothing.is_whole) == ({}, False)
    everything = member.ask(Scan("before", seen))
    assert isinstance(everything, Shown)
    assert (set(everything.registers), everything.is_whole) == ({"r"}, True)


def test_a_full_acceptor_takes_no_new_register(member: Durable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "MAX_REGISTERS", 1)
    member.ask(prepare(1))
    refused = member.ask(Prepare(1, "one", "another", (1, "x")))
    assert isinstance(refused, Refusal)
    assert refused.reason == "full"
    assert isinstance(member.ask(prepare(2)), Promise)


def test_joining_keeps_the_highest_promise_and_the_highest_value() -> None:
    low, high = Register((9, "x"), (3, "x"), "low"), Register((5, "x"), (5, "x"), "high")
    assert merged([{"r": low}, {"r": high}, {"s": low}]) == {
        "r": Register((9, "x"), (5, "x"), "high"),
        "s": low,
    }


def test_requests_and_answers_travel_as_json(member: Durable) -> None:
    for request in (prepare(1), accept(1, {"a": [1]}), Scan("", -1), Seal(2), Install("a", 3, {"a": "one"}, {}, 0)):
        again = msgspec.json.decode(msgspec.json.encode(request), type=Request)
        assert again == request
        answer = member.ask(request)
        assert msgspec.json.decode(msgspec.json.encode(answer), type=Answer) == answer
    assert (register_of(prepare(1)), register_of(Inspect())) == ("r", None)
    assert [needs_all(one) for one in (Scan("", 0), Seal(1), prepare(1), Inspect())] == [True, True, False, False]
