"""A region holds a write once one of its stores says so; what all have may be forgotten, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync.core.confirmations import Confirmations

A = "eu:aaaa.l1xx"
REGIONS = ("eu", "us", "ap")


def test_a_region_counts_once_however_many_of_its_stores_have_it() -> None:
    board = Confirmations()
    board.confirmed("notes", "us:one1.life1", {A: 5})
    board.confirmed("notes", "us:two2.life1", {A: 6})
    assert board.regions_holding("notes", (A, 5), own_region="eu", permitted=REGIONS) == {"eu", "us"}
    assert board.regions_holding("notes", (A, 7), own_region="eu", permitted=REGIONS) == {"eu"}
    assert board.missing("notes", (A, 5), own_region="eu", permitted=REGIONS) == ["ap"]


def test_a_region_that_may_not_hold_it_never_counts() -> None:
    board = Confirmations()
    board.confirmed("notes", "us:one1.life1", {A: 5})
    assert board.regions_holding("notes", (A, 5), own_region="eu", permitted=("eu", "ap")) == {"eu"}


@given(vectors=st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_confirmations_never_go_back_whatever_the_order(vectors: list[int]) -> None:
    board = Confirmations()
    news = [board.confirmed("notes", "us:one1.life1", {A: seq}) for seq in vectors]
    assert board.members("notes")["us:one1"] == {A: max(vectors)}
    assert news == [seq > max([0, *vectors[:at]]) for at, seq in enumerate(vectors)]


def test_a_life_that_ended_is_not_believed_and_its_confirmations_are_gone() -> None:
    board = Confirmations()
    board.confirmed("notes", "us:one1.life1", {A: 5})
    assert board.confirmed("notes", "us:one1.life2", {A: 3})
    assert board.members("notes") == {"us:one1": {A: 3}}
    assert not board.confirmed("notes", "us:one1.life1", {A: 9})
    assert board.life("notes", "us:one1") == "us:one1.life2"
    assert board.regions_holding("notes", (A, 4), own_region="eu", permitted=REGIONS) == {"eu"}


def test_a_member_that_is_forgotten_counts_again_once_it_confirms_again() -> None:
    board = Confirmations()
    board.confirmed("notes", "us:one1.life1", {A: 5})
    assert board.forget("notes", "us:one1")
    assert not board.forget("notes", "us:one1")
    assert board.members("notes") == {}
    assert board.confirmed("notes", "us:one1.life1", {A: 4})
    assert board.members("notes") == {"us:one1": {A: 4}}
