from __future__ import annotations

import pytest

from sync.core.merging import apply
from sync.core.policy import ConflictPolicy, arrive, context_of_write, is_too_crowded, keeps_siblings, settle
from sync.core.versions import EMPTY, KeyState, Version


def version(origin: str, seq: int, hlc: int, *, is_deleted: bool = False) -> Version:
    return Version(f"{origin}:s000.aaaa", seq, hlc, b"m" * 8, is_deleted, "text/plain", 1, 0)


def concurrent(*versions: Version) -> KeyState:
    state = EMPTY
    for one in versions:
        state = apply(state, one, {})
    return state


def test_the_later_stamp_wins_and_the_loser_is_named() -> None:
    early, late = version("us", 1, 5), version("eu", 1, 9)
    settled = settle("last_write_wins", concurrent(early, late))
    assert settled.state.versions == (late,)
    assert [(loss.loser, loss.winner) for loss in settled.losses] == [(early, late)]
    assert settled.state.context == concurrent(early, late).context


def test_equal_stamps_are_decided_the_same_everywhere_never_for_the_local_one() -> None:
    one, two = version("eu", 1, 5), version("us", 1, 5)
    here = arrive("last_write_wins", concurrent(one), two, {}).state
    there = arrive("last_write_wins", concurrent(two), one, {}).state
    assert here == there
    assert here.versions == (two,)


def test_a_delete_and_a_put_at_once_are_ordered_like_two_puts() -> None:
    put, gone = version("eu", 1, 5), version("us", 1, 6, is_deleted=True)
    settled = settle("last_write_wins", concurrent(put, gone))
    assert settled.state.versions == (gone,)
    assert settled.losses[0].loser == put


@pytest.mark.parametrize("policy", ["vector_clock", "custom", "manual"])
def test_the_other_policies_keep_all(policy: ConflictPolicy) -> None:
    state = concurrent(version("eu", 1, 5), version("us", 1, 9))
    assert settle(policy, state).state is state
    assert keeps_siblings(policy)


def test_a_blind_write_replaces_under_last_write_wins_only() -> None:
    state = concurrent(version("eu", 1, 5))
    assert context_of_write("last_write_wins", state, None) == state.context
    assert context_of_write("vector_clock", state, None) == {}
    assert context_of_write("vector_clock", state, {"us:s000.aaaa": 1}) == {"us:s000.aaaa": 1}


def test_the_sibling_bound_is_for_writes_that_add_never_for_those_that_resolve() -> None:
    two = concurrent(version("eu", 1, 5), version("us", 1, 9))
    three = apply(two, version("ap", 1, 10), {})
    assert is_too_crowded(two, three, max_siblings=2)
    assert not is_too_crowded(two, three, max_siblings=3)
    assert not is_too_crowded(three, two, max_siblings=1)
