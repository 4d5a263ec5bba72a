"""The time that a node goes by: its own clock, unless it jumps or the others' median is elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core.steady import FORGET_AFTER_S, SteadyClock

TRUE = 1_700_000_000.0


def clock(*peers: float, offset: float = 0.0) -> SteadyClock:
    """At monotonic 0, itself off by `offset`, with peers that are off by so much."""
    made = SteadyClock(max_skew_s=0.5)
    made.time(wall=TRUE + offset, now=0.0)
    for number, peer in enumerate(peers):
        made.heard(f"peer{number}", TRUE + peer, now=0.0)
    return made


def test_a_clock_that_moves_on_evenly_is_followed_also_where_it_is_being_set_right_slowly() -> None:
    one = clock(0.0, 0.1)
    assert one.time(wall=TRUE + 10.2, now=10.0) == TRUE + 10.2
    assert one.time(wall=TRUE + 20.4, now=20.0) == TRUE + 20.4
    assert one.off_by_s == 0.0


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, 5.0])
def test_a_jump_is_not_followed_while_the_others_do_not_say_so_and_its_end_is(jump_s: float) -> None:
    one = clock(0.0, 0.0)
    assert one.time(wall=TRUE + 1 + jump_s, now=1.0) == pytest.approx(TRUE + 1)
    assert one.off_by_s == pytest.approx(-jump_s)
    assert one.heard("peer0", TRUE + 2, now=2.0) is None
    assert one.time(wall=TRUE + 3, now=3.0) == TRUE + 3
    assert one.off_by_s == 0.0


def test_a_node_that_starts_with_a_wrong_clock_goes_by_the_median_and_does_not_move_twice() -> None:
    one = clock(offset=3600.0)
    assert one.heard("a", TRUE + 1, now=1.0) is None  # two clocks that differ do not say which is wrong
    assert one.heard("b", TRUE + 1.1, now=1.0) == pytest.approx(-3599.9)
    assert one.heard("a", TRUE + 2, now=2.0) is None
    assert one.time(wall=TRUE + 3603, now=3.0) == pytest.approx(TRUE + 3, abs=0.2)
    assert one.time(wall=TRUE + 4, now=4.0) == TRUE + 4  # set right meanwhile


def test_one_wrong_peer_of_two_moves_nobody() -> None:
    one = clock(3600.0, 0.0)
    assert one.time(wall=TRUE + 1, now=1.0) == TRUE + 1


def test_answers_that_were_long_under_way_do_not_move_the_time() -> None:
    one = clock(0.0, 0.0)
    for number in ("peer0", "peer1"):
        assert one.heard(number, TRUE + 5, now=6.5) is None
    assert one.time(wall=TRUE + 7, now=7.0) == TRUE + 7


def test_alone_there_is_nothing_but_the_own_clock() -> None:
    one = clock()
    assert one.time(wall=TRUE + 3600, now=1.0) == TRUE + 3600


def test_peers_that_fell_silent_have_no_say_any_more() -> None:
    one = clock(0.0, 0.0)
    later = FORGET_AFTER_S + 1
    assert one.heard("peer0", TRUE + later + 3600, now=later) is None
    assert one.heard("peer1", TRUE + later + 3600, now=later) == pytest.approx(3600)


@given(st.lists(st.floats(-1e5, 1e5), min_size=2, max_size=8), st.floats(-1e5, 1e5))
def test_wherever_it_starts_it_ends_within_the_skew_of_some_clock_in_the_middle(peers: list[float], own: float) -> None:
    one = clock(*peers, offset=own)
    for number, peer in enumerate(peers):
        one.heard(f"peer{number}", TRUE + 1 + peer, now=1.0)
    told = one.time(wall=TRUE + 1 + own, now=1.0) - TRUE - 1
    assert min(own, *peers) - 0.5 <= told <= max(own, *peers) + 0.5
