"""A request that waits, with a queue of its own and a clock that stands where it is put."""

from __future__ import annotations

from gateway.core.bulkhead import Bulkhead
from gateway.core.problems import Answer
from gateway.proxy.roles import Waiter
from gateway.proxy.waiting import Waiting
from tests.harness.routing import routed, routing


class Whose:
    """What a request heard."""

    def __init__(self) -> None:
        self.turns = 0
        self.answers: list[Answer] = []

    def on_turn(self) -> None:
        self.turns += 1

    def give_up(self, answer: Answer) -> None:
        self.answers.append(answer)


class Clock:
    """Stands still."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def waiting(whose: Whose, bulkhead: Bulkhead[Waiter], clock: Clock) -> Waiting:
    return Waiting(whose, bulkhead, routing(routed()).services["api"], now=clock)


def test_who_comes_first_goes_first_and_all_waits_of_a_request_are_added_up() -> None:
    clock, bulkhead = Clock(), Bulkhead[Waiter](limit=1)
    assert bulkhead.enter()
    whose, other = Whose(), Whose()
    first, second = waiting(whose, bulkhead, clock), waiting(other, bulkhead, clock)
    first.begin(has_place=False)
    second.begin(has_place=False)
    clock.now += 2.0
    bulkhead.release()
    turn = bulkhead.next()
    assert turn is first
    turn.admit()
    assert (whose.turns, other.turns, first.waited_s) == (1, 0, 2.0)
    first.begin(has_place=True)  # a retry that lacks a connection
    clock.now += 0.5
    assert bulkhead.next() is first
    first.admit()
    assert (whose.turns, first.waited_s) == (2, 2.5)
    assert (whose.answers, other.answers) == ([], [])


def test_where_too_many_wait_it_is_refused_and_has_not_waited() -> None:
    clock, whose = Clock(), Whose()
    one = waiting(whose, Bulkhead(limit=1, max_pending=0), clock)
    one.begin(has_place=False)
    clock.now += 1.0
    one.leave()
    assert [answer.reason for answer in whose.answers] == ["upstream_pending_limit"]
    assert one.waited_s == 0.0


def test_its_time_is_what_a_connection_may_take() -> None:
    clock, bulkhead, whose = Clock(), Bulkhead[Waiter](limit=0), Whose()
    one = waiting(whose, bulkhead, clock)
    one.begin(has_place=False)
    connect_s = routing(routed()).services["api"].connect_timeout_s
    assert bulkhead.overdue(clock.now + connect_s - 0.001) == []
    clock.now += connect_s
    assert bulkhead.overdue(clock.now) == [one]
    one.turn_away()
    assert ([answer.reason for answer in whose.answers], whose.turns) == (["pending_timeout"], 0)
    assert one.waited_s == connect_s


def test_who_leaves_has_no_turn_and_leaves_once() -> None:
    clock, bulkhead, whose = Clock(), Bulkhead[Waiter](limit=1), Whose()
    one = waiting(whose, bulkhead, clock)
    one.begin(has_place=False)
    clock.now += 1.0
    one.leave()
    clock.now += 1.0
    one.leave()
    assert (bulkhead.next(), bulkhead.pending, one.waited_s) == (None, 0, 1.0)
    assert (whose.turns, whose.answers) == (0, [])
