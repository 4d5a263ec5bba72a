"""Places, connections and the queue before them, compared with a naive model."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.bulkhead import Bulkhead


def bulkhead(limit: int = 2, connections: int = 100, pending: int = 3) -> Bulkhead[str]:
    return Bulkhead(limit=limit, max_connections=connections, max_pending=pending)


def test_so_many_go_at_once_then_so_many_wait_and_then_there_is_no_room() -> None:
    hold = bulkhead()
    assert [hold.enter() for _ in range(3)] == [True, True, False]
    assert [hold.wait(who, until=9.0, has_place=False) for who in "abcd"] == [True, True, True, False]
    assert (hold.active, hold.pending, hold.waited, hold.overflowed) == (2, 3, 3, 1)


def test_first_come_first_served_and_whoever_left_is_passed_over() -> None:
    hold = bulkhead()
    assert hold.enter()
    assert hold.enter()
    for who in "abc":
        hold.wait(who, until=9.0, has_place=False)
    hold.leave("a")
    assert hold.next() is None
    hold.release()
    assert not hold.enter(), "b was there before"
    assert [hold.next(), hold.next()] == ["b", None]
    hold.release()
    hold.release()
    assert [hold.next(), hold.next(), hold.active] == ["c", None, 1]


def test_who_has_a_place_and_lacks_a_connection_goes_first() -> None:
    hold = bulkhead(limit=5, connections=1)
    assert hold.enter()
    hold.in_use = 1
    hold.wait("new", until=9.0, has_place=False)
    hold.wait("retry", until=9.0, has_place=True)
    hold.in_use = 0
    assert not hold.enter()
    assert (hold.next(), hold.active) == ("retry", 1)
    assert (hold.next(), hold.active) == ("new", 2)


def test_connections_that_are_being_opened_count_and_idle_ones_make_room() -> None:
    hold = bulkhead(limit=9, connections=3)
    hold.in_use, hold.opening, hold.idle = 1, 1, 1
    assert hold.may_connect()
    assert hold.is_crowded()
    hold.idle = 0
    assert not hold.is_crowded()
    hold.opening = 2
    assert not hold.may_connect()
    assert not hold.enter()


def test_time_ends_a_wait_and_a_place_is_kept_by_who_has_one() -> None:
    hold = bulkhead(limit=1, connections=1)
    assert hold.enter()
    hold.wait("retry", until=2.0, has_place=True)
    hold.wait("a", until=1.0, has_place=False)
    hold.wait("b", until=3.0, has_place=False)
    assert hold.overdue(0.9) == []
    assert hold.overdue(2.0) == ["retry", "a"]
    assert (hold.pending, hold.active, hold.overflowed) == (1, 1, 2)


class Model:
    """Lists and sums."""

    def __init__(self, limit: int, pending: int) -> None:
        self.limit, self.pending = limit, pending
        self.going: list[int] = []
        self.waiting: list[int] = []
        self.refused: list[int] = []

    def come(self, who: int) -> None:
        if len(self.going) < self.limit and not self.waiting:
            self.going.append(who)
        elif len(self.waiting) < self.pending:
            self.waiting.append(who)
        else:
            self.refused.append(who)

    def free(self) -> None:
        while self.waiting and len(self.going) < self.limit:
            self.going.append(self.waiting.pop(0))


@settings(max_examples=200, deadline=None)
@given(
    limit=st.integers(1, 4),
    pending=st.integers(1, 4),
    steps=st.lists(
        st.tuples(st.sampled_from(["come", "come", "end", "leave", "limit"]), st.integers(0, 9)), max_size=80
    ),
)
def test_against_a_naive_model(limit: int, pending: int, steps: list[tuple[str, int]]) -> None:
    hold: Bulkhead[int] = Bulkhead(limit=limit, max_pending=pending)
    model = Model(limit, pending)
    going: list[int] = []
    refused: list[int] = []
    for number, (what, which) in enumerate(steps):
        if what == "come":
            model.come(number)
            if hold.enter():
                going.append(number)
            elif not hold.wait(number, until=1e9, has_place=False):
                refused.append(number)
        elif what == "end" and going:
            ended = going.pop(which % len(going))
            model.going.remove(ended)
            hold.release()
        elif what == "leave" and model.waiting:
            hold.leave(model.waiting.pop(which % len(model.waiting)))
        elif what == "limit":
            hold.limit = model.limit = which % 4 + 1
        model.free()
        while (who := hold.next()) is not None:
            going.append(who)
        assert (going, refused) == (model.going, model.refused)
        assert (hold.active, hold.pending) == (len(going), len(model.waiting))
        assert hold.active <= max(hold.limit, len(going))
