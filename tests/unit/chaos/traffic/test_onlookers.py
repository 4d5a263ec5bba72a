"""Where in a chain is what was seen?"""

from __future__ import annotations

from chaos.traffic.onlookers import place_of, place_of_delete
from tests.unit.chaos.histories import write

CHAIN = [
    write("c:1", "k", discipline="chain", place=1),
    write("c:2", "k", discipline="chain", place=2, value=None),
    write("c:3", "k", discipline="chain", place=3),
    write("c:4", "k", discipline="chain", place=4, value=None),
    write("c:1", "other", discipline="chain", place=7),
]


def test_a_value_has_the_place_of_its_write_and_an_unknown_one_has_none() -> None:
    assert place_of(CHAIN, "k", "c:3") == 3
    assert place_of(CHAIN, "k", "x") == 0


def test_that_nothing_is_there_is_the_next_delete() -> None:
    assert [place_of_delete(CHAIN, "k", after=place) for place in (1, 2, 3, 4)] == [2, 2, 4, 4]
    assert place_of_delete(CHAIN, "k", after=5) == 5
