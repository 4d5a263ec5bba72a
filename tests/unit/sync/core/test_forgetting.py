from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sync.core.forgetting import Candidate, Forgotten, forget
from sync.core.versions import KeyState, Version

ORIGIN = "eu:store.aaaa"


def held(seq: int, *, is_deleted: bool = False) -> KeyState:
    return KeyState((Version(ORIGIN, seq, 0, b"mark", is_deleted, "", 0, 0),), {ORIGIN: seq})


def candidate(seq: int, key: str = "k", *, is_logged: bool = True) -> Candidate:
    return Candidate(seq, ORIGIN, seq, key, seq if is_logged else None, 10)


def forgotten(candidates: Iterable[Candidate], states: Mapping[str, KeyState], **changes: Any) -> Forgotten:
    facts: dict[str, Any] = {"below": {ORIGIN: 99}, "last_position": 99, "pruned": {}, "horizon": {}, **changes}
    return forget(candidates, states, facts.pop("recorded", ()), **facts)


def test_what_is_superseded_goes_and_what_is_held_stays() -> None:
    found = forgotten([candidate(1), candidate(2)], {"k": held(2)})
    assert (found.positions, found.keys, found.bytes, found.count) == ([1], [], 10, 1)
    assert (found.pruned, found.horizon) == ({ORIGIN: 1}, {})


def test_nothing_goes_that_a_member_has_not_seen_nor_what_lies_behind_it() -> None:
    found = forgotten([candidate(1), candidate(3), candidate(2)], {"k": held(4)}, below={ORIGIN: 2})
    assert (found.done, found.positions) == ([1], [1])
    assert found.is_at_end
    assert forgotten([candidate(3)], {"k": held(4)}, below={ORIGIN: 2}).count == 0


def test_the_last_ones_stay_for_feeds() -> None:
    assert forgotten([candidate(1), candidate(2)], {"k": held(3)}, last_position=1).positions == [1]


def test_a_tombstone_takes_its_key_along_and_moves_the_horizon() -> None:
    found = forgotten([candidate(1), candidate(2)], {"k": held(2, is_deleted=True)})
    assert (found.positions, found.keys, found.horizon, found.horizon_position) == ([1, 2], ["k"], {ORIGIN: 2}, 2)


def test_a_tombstone_waits_for_all_that_its_key_has_seen_and_holds_up_nothing_else() -> None:
    other = "us:store.aaaa"
    state = KeyState(held(2, is_deleted=True).versions, {ORIGIN: 2, other: 5})
    candidates = [candidate(2), candidate(1, "l")]
    found = forgotten(candidates, {"k": state, "l": held(3)}, below={ORIGIN: 9, other: 4})
    assert (found.keys, found.positions, found.done, found.is_at_end) == ([], [1], [1], False)
    found = forgotten(candidates, {"k": state, "l": held(3)}, below={ORIGIN: 9, other: 5})
    assert (found.keys, found.horizon) == (["k"], {ORIGIN: 2, other: 5})


def test_a_dot_that_is_named_twice_is_counted_once() -> None:
    found = forgotten([candidate(2), candidate(2)], {"k": held(2, is_deleted=True)})
    assert (found.positions, found.done, found.bytes) == ([2], [2, 2], 10)


def test_a_version_beside_a_tombstone_keeps_it() -> None:
    other = Version("us:store.aaaa", 1, 0, b"mark", False, "", 0, 0)  # noqa: FBT003 - a positional struct
    tombstone = held(2, is_deleted=True).versions[0]
    state = KeyState((tombstone, other), {ORIGIN: 2, "us:store.aaaa": 1})
    found = forgotten([candidate(2)], {"k": state})
    assert (found.positions, found.done) == ([], [2])


def test_what_a_conflict_record_shows_stays_in_the_log() -> None:
    found = forgotten([candidate(1)], {"k": held(2)}, recorded={(ORIGIN, 1)})
    assert (found.positions, found.done) == ([], [1])


def test_what_is_not_in_the_log_is_dealt_with() -> None:
    assert forgotten([candidate(1, is_logged=False)], {}).done == [1]
