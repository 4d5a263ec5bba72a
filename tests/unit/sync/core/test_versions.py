from __future__ import annotations

from sync.core.versions import EMPTY, KeyState, Version, decode_state, encode_state


def version(seq: int, *, hlc: int = 1, is_deleted: bool = False, client: str = "", request: bytes = b"") -> Version:
    also = (("us:s000.aaaa", 7),) if client else ()
    return Version("eu:s000.aaaa", seq, hlc, b"m" * 8, is_deleted, "text/plain", 1, 0, client, 1, request, also)


def test_states_survive_being_written_down() -> None:
    state = KeyState((version(1), version(2, client="desk", request=b"r")), {"eu:s000.aaaa": 2})
    assert decode_state(encode_state(state)) == state
    assert decode_state(encode_state(EMPTY)) == KeyState()


def test_a_key_is_live_while_one_of_its_versions_is_no_delete_and_in_conflict_while_there_are_two() -> None:
    gone, here = version(1, hlc=9, is_deleted=True), version(2, hlc=4)
    facts = [(state.is_live, state.is_conflicted, state.hlc()) for state in map(KeyState, ((), (gone,), (gone, here)))]
    assert facts == [(False, False, 0), (False, False, 9), (True, True, 9)]


def test_who_has_seen_one_dot_of_an_event_has_seen_the_event() -> None:
    twice = version(3, client="desk", request=b"r")
    assert twice.dots == (("eu:s000.aaaa", 3), ("us:s000.aaaa", 7))
    assert twice.is_covered({"us:s000.aaaa": 7})
    assert not twice.is_covered({"eu:s000.aaaa": 2, "us:s000.aaaa": 6})


def test_one_request_under_one_operation_id_is_one_event_whatever_its_dots() -> None:
    one = version(3, client="desk", request=b"r")
    assert one.is_same_event(version(4, client="desk", request=b"r"))
    assert not one.is_same_event(version(4, client="desk", request=b"another"))
    assert not version(3).is_same_event(version(4))
