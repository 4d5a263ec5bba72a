"""Who accepts from which listening socket."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.node.core.slots import Reassignment, reassignments, servers


def test_every_worker_accepts_from_its_own_slot() -> None:
    assert servers(3, 3, {0, 1, 2}) == {0: 0, 1: 1, 2: 2}


def test_a_sibling_accepts_for_a_worker_that_is_away() -> None:
    assert servers(2, 2, {1}) == {0: 1, 1: 1}


def test_nobody_accepts_while_nobody_serves() -> None:
    assert servers(2, 2, set()) == {}


def test_surplus_slots_of_a_larger_predecessor_have_a_home_too() -> None:
    assert servers(4, 2, {0, 1}) == {0: 0, 1: 1, 2: 0, 3: 1}


def test_accepting_is_told_before_releasing() -> None:
    assert reassignments({0: 0, 1: 0}, {0: 0, 1: 1}) == [
        Reassignment(worker=1, slot=1, accept=True),
        Reassignment(worker=0, slot=1, accept=False),
    ]


def test_what_stays_is_not_told() -> None:
    assert reassignments({0: 0, 1: 1}, {0: 0, 1: 1}) == []


@given(
    slots=st.integers(1, 8),
    workers=st.integers(1, 8),
    history=st.lists(st.sets(st.integers(0, 7)), max_size=10),
)
def test_whoever_obeys_serves_exactly_what_is_assigned(slots: int, workers: int, history: list[set[int]]) -> None:
    accepting: dict[int, set[int]] = {worker: set() for worker in range(workers)}
    now: dict[int, int] = {}
    for raw in history:
        serving = {worker for worker in raw if worker < workers}
        for dead in set(accepting) - serving:
            accepting[dead].clear()
        after = servers(slots, workers, serving)
        for worker, slot, accept in reassignments(now, after):
            if worker in serving:
                (accepting[worker].add if accept else accepting[worker].discard)(slot)
        now = after
        if serving:
            assert sorted(slot for held in accepting.values() for slot in held) == list(range(slots))
