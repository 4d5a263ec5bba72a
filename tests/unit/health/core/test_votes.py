"""Who may say that a region is down, and how many it takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from health.core.votes import MAX_AGE_S, Says, Vote, ballot

THREE = ("eu", "us", "ap")


def vote(voter: str, says: Says = "down", *, node: str = "", accused: str = "eu", age_s: float = 0.5) -> Vote:
    return Vote(voter, node or f"gw1-{voter}", accused, says, "0 of 4 endpoints up for 8 s", age_s)


def test_a_majority_of_the_others_is_needed_and_silence_counts_against() -> None:
    assert ballot("eu", [vote("us"), vote("ap")], voters=THREE).is_down
    one = ballot("eu", [vote("us")], voters=THREE)
    assert not one.is_down
    assert one.sentence == "1 of 2 needed votes say that eu is down, ap silent"


def test_the_accused_has_no_vote_and_no_weight() -> None:
    found = ballot("eu", [vote("eu"), vote("eu", "reachable"), vote("us"), vote("ap")], voters=THREE)
    assert found.is_down
    assert {one.voter for one in found.votes} == {"us", "ap"}


def test_a_node_that_is_cut_off_decides_nothing() -> None:
    for accused in ("us", "ap"):
        assert not ballot(accused, [vote("eu", accused=accused)], voters=THREE).is_down


def test_one_node_that_reaches_it_speaks_for_its_region() -> None:
    votes = [vote("us", node="gw1"), vote("us", "reachable", node="gw2"), vote("ap")]
    found = ballot("eu", votes, voters=THREE)
    assert not found.is_down
    assert found.voted_reachable == ("us",)
    assert "us reach it" in found.sentence


def test_many_nodes_of_a_region_are_one_vote() -> None:
    assert not ballot("eu", [vote("us", node=f"gw{number}") for number in range(9)], voters=THREE).is_down


def test_an_old_vote_is_none() -> None:
    votes = [vote("us"), vote("ap", age_s=MAX_AGE_S + 0.1)]
    assert not ballot("eu", votes, voters=THREE).is_down
    assert not ballot("eu", [vote("us"), vote("ap", age_s=-1.0)], voters=THREE).is_down


def test_strangers_and_votes_on_others_do_not_count() -> None:
    assert not ballot("eu", [vote("us"), vote("mars"), vote("ap", accused="us")], voters=THREE).is_down


def test_alone_nobody_is_voted_down_by_themselves_and_with_nobody_left_no_one_is() -> None:
    assert not ballot("eu", [vote("eu")], voters=("eu",)).is_down
    assert ballot("us", [vote("eu", accused="us")], voters=("eu",)).is_down


def test_a_witness_and_one_region_are_needed_together() -> None:
    voters = ("eu", "us")
    for votes, is_down in (
        ([vote("us")], False),
        ([vote("witness")], False),
        ([vote("us"), vote("witness", "reachable")], False),
        ([vote("us"), vote("witness")], True),
    ):
        assert ballot("eu", votes, voters=voters, kind="witness", witness="witness").is_down is is_down


@given(st.dictionaries(st.sampled_from("abcdefg"), st.sampled_from(["down", "reachable"]), max_size=7))
def test_it_is_down_exactly_when_more_than_half_of_the_others_say_so(said: dict[str, Says]) -> None:
    found = ballot("a", [vote(voter, says, accused="a") for voter, says in said.items()], voters="abcdefg")
    assert found.is_down == (sum(says == "down" for voter, says in said.items() if voter != "a") > 3)
