from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core import dots

vectors = st.dictionaries(st.sampled_from(["a:s000.aaaa", "b:s000.aaaa", "c:s000.aaaa"]), st.integers(1, 5))


def test_an_origin_is_one_life_of_a_store_in_a_region() -> None:
    origin = dots.origin_name("eu-west", "k3x9", "q7aa")
    assert origin == "eu-west:k3x9.q7aa"
    assert dots.store_of(origin) == "eu-west:k3x9"
    assert dots.region_of(origin) == "eu-west"


@pytest.mark.parametrize("name", ["", "eu", "eu:s000", "EU:s000.aaaa", "eu:s000.aaaa\n", "eu:s.aaaa", "eu:s000.aa aa"])
def test_what_is_no_origin_is_told(name: str) -> None:
    assert not dots.is_origin(name)
    assert not dots.is_vector({name: 1})


@pytest.mark.parametrize(
    "value", [None, [], {"a:s000.aaaa": 0}, {"a:s000.aaaa": True}, {"a:s000.aaaa": 1 << 63}, {1: 1}]
)
def test_what_is_no_vector_is_told(value: object) -> None:
    assert not dots.is_vector(value)


def test_a_region_that_the_origin_cannot_name_is_refused() -> None:
    with pytest.raises(ValueError, match="expected region:store"):
        dots.origin_name("eu west", "k3x9", "q7aa")


@given(vectors, vectors, vectors)
def test_joining_vectors_is_a_least_upper_bound(
    one: dict[str, int], two: dict[str, int], three: dict[str, int]
) -> None:
    both = dots.joined(one, two)
    assert dots.includes(both, one)
    assert dots.includes(both, two)
    assert both == dots.joined(two, one)
    assert dots.joined(both, three) == dots.joined(one, dots.joined(two, three))
    assert dots.joined(one, one) == one
    assert all(both[origin] in {one.get(origin), two.get(origin)} for origin in both)


@given(st.lists(vectors, max_size=4))
def test_the_stable_cut_is_what_every_member_has(members: list[dict[str, int]]) -> None:
    cut = dots.meet(members)
    assert all(dots.includes(member, cut) for member in members)
    for origin in {name for member in members for name in member}:
        assert cut.get(origin, 0) == min(member.get(origin, 0) for member in members)


def test_coverage_is_up_to_the_sequence_seen() -> None:
    assert dots.covers({"a:s000.aaaa": 3}, "a:s000.aaaa", 3)
    assert not dots.covers({"a:s000.aaaa": 3}, "a:s000.aaaa", 4)
    assert not dots.covers({}, "a:s000.aaaa", 1)


def test_a_word_is_eight_letters_by_chance() -> None:
    words = {dots.chance_word(os.urandom) for _ in range(100)}
    assert len(words) == 100
    assert all(len(word) == 8 and word.isalnum() for word in words)
    assert dots.chance_word(lambda size: b"\xff" * size) == "9" * 8


def test_the_next_incarnation_is_another_life_of_the_same_store() -> None:
    assert dots.next_incarnation("eu:store.aaaa", lambda size: b"\xff" * size) == "eu:store.99999999"


def test_what_is_missing_starts_behind_what_is_had() -> None:
    received = {"eu:b.aaaa": 5, "eu:a.aaaa": 2, "us:c.aaaa": 1}
    assert dots.missing_ranges({"eu:b.aaaa": 3, "us:c.aaaa": 1}, received) == [("eu:a.aaaa", 0), ("eu:b.aaaa", 3)]
