"""Who is wrong is told by what each has applied and seen; nothing is thrown away because somebody else lacks it."""

from __future__ import annotations

from sync.core.policy import ConflictPolicy
from sync.core.reconciling import Known, Side, absorbed, compared, is_comparable
from sync.core.versions import KeyState, Version

A, B = "eu:aaaa.life1", "us:bbbb.life1"


def version(origin: str, seq: int, *, hlc: int = 1, is_deleted: bool = False) -> Version:
    return Version(origin, seq, hlc, b"%8d" % seq, is_deleted, "", 0, 0)


def held(*versions: Version, **read: int) -> Known:
    """What the writers of these versions had read."""
    vector = {A if origin == "a" else B: seq for origin, seq in read.items()}
    return Known(KeyState(versions, vector), vector)


EMPTY = held()

ONE, TWO = version(A, 1), version(B, 1, hlc=2)
GONE = version(B, 2, hlc=3, is_deleted=True)


def repaired(mine: Known, theirs: Known, policy: ConflictPolicy = "vector_clock", **applied: int) -> set[str] | None:
    vector = {A if origin == "a" else B: seq for origin, seq in applied.items()}
    found = compared(policy, mine, vector, theirs)
    return None if found is None else {one.name for one in found.state.versions}


def test_what_the_log_will_still_bring_is_left_to_it() -> None:
    assert repaired(EMPTY, held(ONE, a=1)) is None
    assert repaired(held(ONE, a=1), held(TWO, a=1, b=1), a=1) is None


def test_what_was_applied_and_is_not_there_comes_back() -> None:
    assert repaired(EMPTY, held(ONE, a=1), a=1) == {ONE.name}
    assert repaired(held(ONE, a=1), held(TWO, a=1, b=1), a=1, b=1) == {TWO.name}
    assert repaired(held(ONE, a=1), held(ONE, TWO, a=1, b=1), a=1, b=1) == {ONE.name, TWO.name}


def test_what_the_other_only_lacks_is_kept() -> None:
    assert repaired(held(ONE, a=1), EMPTY, a=1) is None


def test_a_context_is_no_proof_that_something_was_replaced() -> None:
    later = version(A, 9)
    lost_one = Known(KeyState((later,), {A: 9}), {})
    assert repaired(held(ONE, later), lost_one, a=9) is None
    found = compared("vector_clock", lost_one, {A: 9}, held(ONE, later))
    assert found is not None
    assert {one.name for one in found.state.versions} == {ONE.name, later.name}


def test_a_delete_that_was_missed_is_learnt_from_its_tombstone() -> None:
    found = compared("vector_clock", held(ONE, a=1), {A: 1, B: 2}, held(GONE, a=1, b=2))
    assert found is not None
    assert not found.state.is_live


def test_a_tombstone_that_only_one_remembers_is_no_difference() -> None:
    assert repaired(EMPTY, held(GONE, a=1, b=2), a=1, b=2) is None
    assert repaired(held(GONE, a=1, b=2), EMPTY, a=1, b=2) is None


def test_each_having_dropped_what_the_other_kept_throws_nothing_away() -> None:
    mine, theirs = held(ONE, a=1, b=1), held(TWO, a=1, b=1)
    assert repaired(mine, theirs, a=1, b=1) == {ONE.name, TWO.name}
    found = compared("last_write_wins", mine, {A: 1, B: 1}, theirs)
    assert found is not None
    assert [one.name for one in found.state.versions] == [TWO.name]
    assert [loss.loser.name for loss in found.losses] == [ONE.name]


def test_a_store_that_lacks_forgotten_deletes_is_not_compared_with() -> None:
    assert not is_comparable(Side({}, {A: 3}), Side({A: 2}, {}))
    assert is_comparable(Side({}, {A: 3}), Side({A: 3}, {}))


def test_a_snapshot_takes_deletes_that_are_forgotten_and_leaves_what_nobody_else_has_seen() -> None:
    own = version(A, 7)
    assert absorbed("vector_clock", held(ONE, a=1), {}, EMPTY, {A: 3}).state.versions == ()
    assert absorbed("vector_clock", held(own, a=7), {}, EMPTY, {A: 3}).state.versions == (own,)
    assert absorbed("vector_clock", held(ONE, a=1), {}, held(TWO, b=1), {A: 3}).state.versions == (TWO,)
    assert absorbed("vector_clock", EMPTY, {}, held(ONE, a=1), {}).state.versions == (ONE,)


def test_a_snapshot_does_not_bring_back_what_was_deleted_and_forgotten_here() -> None:
    assert absorbed("vector_clock", EMPTY, {A: 3}, held(ONE, a=1), {}).state.versions == ()


def test_concurrent_versions_of_a_snapshot_meet_under_the_policy() -> None:
    mine, theirs = held(ONE, a=1), held(TWO, b=1)
    assert len(absorbed("vector_clock", mine, {}, theirs, {}).state.versions) == 2
    settled = absorbed("last_write_wins", mine, {}, theirs, {})
    assert [one.name for one in settled.state.versions] == [TWO.name]
    assert [loss.loser.name for loss in settled.losses] == [ONE.name]


def test_an_event_whose_alias_is_under_way_is_no_difference() -> None:
    alone = Version(
        A, 1, 1, b"mark", is_deleted=False, content_type="", size=0, written_ms=0, client="desk", sequence=1
    )
    both = Version(
        A,
        1,
        1,
        b"mark",
        is_deleted=False,
        content_type="",
        size=0,
        written_ms=0,
        client="desk",
        sequence=1,
        also=((B, 1),),
    )
    assert repaired(held(alone, a=1), held(both, a=1, b=1), a=1) is None
    assert repaired(held(alone, a=1), held(both, a=1, b=1), a=1, b=1) == {alone.name}
