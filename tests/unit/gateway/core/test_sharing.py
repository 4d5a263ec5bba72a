"""Workers that share a cap: never above it together, none without its one, and nothing left unused while one waits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.sharing import LOOKS_OF_A_PEAK, Part
from gateway.node_memory import NodeMemory, create


class Worker:
    """One that takes places as a lane does, one after the other."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.active = 0
        self.waiting = 0

    def come(self) -> None:
        if self.active < self.part.usable or (self.part.grow(self.waiting + 1) and self.active < self.part.usable):
            self.active += 1
        else:
            self.waiting += 1

    def end(self) -> None:
        if self.active:
            self.active -= 1
            self.admit()

    def admit(self) -> None:
        while self.waiting and self.active < self.part.usable:
            self.waiting -= 1
            self.active += 1

    def look(self) -> None:
        if self.waiting:
            self.part.grow(self.waiting)
            self.admit()
        lack = self.waiting if self.active >= self.part.usable else 0
        self.part.settle(used=self.active, busy=self.active, lack=lack)
        self.admit()


@pytest.fixture(scope="module")
def descriptor() -> int:
    return create()


_numbers = iter(range(1_000_000))


def node(descriptor: int, workers: int, cap: int) -> list[Worker]:
    """Each with its own view of the same memory; a cap of its own for each test."""
    name = f"cap {next(_numbers)}"
    made = []
    for me in range(workers):
        places = NodeMemory.shared(descriptor, me=me, workers=workers).places
        assert places is not None
        row = places.row(name)
        assert row is not None
        made.append(Worker(Part(row)))
        made[-1].part.adopt(cap)
    return made


def looks(workers: list[Worker], times: int = 3) -> None:
    for _ in range(times):
        for worker in workers:
            worker.look()


def leave(workers: list[Worker]) -> None:
    for worker in workers:
        worker.part.leave()


def test_a_worker_alone_with_the_work_gets_all_but_one_place_of_each_other(descriptor: int) -> None:
    workers = node(descriptor, 4, 64)
    for _ in range(100):
        workers[0].come()
        looks(workers, 1)
    assert workers[0].active == 64 - 3
    workers[1].come()
    assert workers[1].active == 1, "one is everybody's own"
    leave(workers)


def test_the_reserve_is_had_at_once_and_what_others_hold_within_two_looks(descriptor: int) -> None:
    workers = node(descriptor, 2, 16)
    assert [worker.part.usable for worker in workers] == [4, 4]
    for _ in range(16):
        workers[0].come()
    assert (workers[0].active, workers[0].waiting) == (12, 4)
    looks(workers, 2)
    assert (workers[0].active, workers[0].waiting) == (15, 1)
    leave(workers)


def test_who_has_less_than_an_equal_share_and_waits_gets_it_as_places_come_free(descriptor: int) -> None:
    workers = node(descriptor, 2, 16)
    for _ in range(40):
        workers[0].come()
    looks(workers)
    assert workers[0].active == 15
    for _ in range(40):
        workers[1].come()
    looks(workers)
    assert workers[1].active == 1
    for _ in range(30):
        workers[0].end()  # its own queue is still long
        looks(workers, 1)
    assert [worker.active for worker in workers] == [8, 8]
    leave(workers)


def test_what_a_worker_of_before_held_is_free_for_its_successor(descriptor: int) -> None:
    workers = node(descriptor, 2, 16)
    for _ in range(40):
        workers[0].come()
    looks(workers)
    places = NodeMemory.shared(descriptor, me=0, workers=2).places
    assert places is not None
    row = places.row(f"cap {next(_numbers) - 1}")
    assert row is not None
    part = Part(row)
    part.adopt(16)
    assert part.usable == 4
    for _ in range(40):
        workers[1].come()
    assert workers[1].active == 12
    leave(workers)


def test_what_is_not_used_for_a_while_goes_back_to_the_reserve(descriptor: int) -> None:
    workers = node(descriptor, 2, 160)
    for _ in range(100):
        workers[0].come()
    assert workers[0].part.hold >= 100
    for _ in range(100):
        workers[0].end()
    looks(workers, 2)
    assert workers[0].part.hold >= 100, "a pause is no end"
    looks(workers, 3 * LOOKS_OF_A_PEAK)
    assert workers[0].part.hold == 40
    leave(workers)


def test_a_cap_smaller_than_the_number_of_workers_leaves_each_its_one(descriptor: int) -> None:
    workers = node(descriptor, 4, 2)
    for worker in workers:
        worker.come()
        worker.come()
    looks(workers)
    assert [(worker.active, worker.waiting) for worker in workers] == [(1, 1)] * 4
    leave(workers)


def test_a_lowered_cap_is_kept_as_soon_as_what_is_under_way_allows(descriptor: int) -> None:
    workers = node(descriptor, 2, 16)
    for worker in workers:
        for _ in range(8):
            worker.come()
    assert sum(worker.active for worker in workers) == 16
    for worker in workers:
        worker.part.adopt(6)
    looks(workers)
    for worker in workers:
        for _ in range(8):
            worker.come()
            worker.end()
            looks(workers, 1)
    assert sum(worker.active for worker in workers) <= 6
    assert sum(worker.part.hold for worker in workers) <= 6
    leave(workers)


@settings(max_examples=300, deadline=None)
@given(
    workers=st.integers(2, 5),
    cap=st.integers(5, 40),
    steps=st.lists(
        st.tuples(st.sampled_from(["come", "come", "come", "end", "end", "look"]), st.integers(0, 4)), max_size=200
    ),
)
def test_together_they_never_use_more_and_whoever_waits_gets_what_the_others_leave(
    descriptor: int, workers: int, cap: int, steps: list[tuple[str, int]]
) -> None:
    every = node(descriptor, workers, cap)
    for what, which in steps:
        worker = every[which % workers]
        if what == "come":
            worker.come()
        elif what == "end":
            worker.end()
        else:
            worker.look()
        assert sum(max(1, one.part.hold) for one in every) <= cap
        assert all(one.active <= one.part.hold for one in every)
    # Nobody comes or goes any more: in the end nothing is free while one waits, but for the one of each other.
    looks(every, 3 * LOOKS_OF_A_PEAK)
    idle = sum(max(1, one.active) for one in every)
    if any(one.waiting for one in every):
        assert idle == cap
    # With everything short everywhere, each comes to an equal share.
    for worker in every:
        for _ in range(cap + 1):
            worker.come()
    for _ in range(4 * cap):
        for worker in every:
            worker.end()
            worker.come()
        looks(every, 1)
    assert min(worker.active for worker in every) >= cap // workers
    leave(every)
