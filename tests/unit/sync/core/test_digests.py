"""Digests are equal where what lives is equal, and differ for everything that readers could tell apart."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core.digests import BITS, Digest, KeyRange, added, key_digest
from sync.core.versions import EMPTY, KeyState, Version

VERSION = Version("eu:aaaa.life1", 3, 77, b"12345678", is_deleted=False, content_type="", size=5, written_ms=1)
TOMBSTONE = Version("us:aaaa.life1", 1, 78, b"87654321", is_deleted=True, content_type="", size=0, written_ms=1)
STATE = KeyState((VERSION,), {"eu:aaaa.life1": 3})


@pytest.mark.parametrize(
    "other",
    [
        KeyState((msgspec.structs.replace(VERSION, seq=4),), STATE.context),
        KeyState((msgspec.structs.replace(VERSION, hlc=78),), STATE.context),
        KeyState((msgspec.structs.replace(VERSION, mark=b"12345679"),), STATE.context),
        KeyState((msgspec.structs.replace(VERSION, also=(("us:aaaa.life1", 2),)),), STATE.context),
        KeyState((VERSION, TOMBSTONE), STATE.context),
        KeyState((), STATE.context),
    ],
)
def test_what_a_reader_could_tell_apart_differs(other: KeyState) -> None:
    assert key_digest("k", STATE) != key_digest("k", other)


def test_keys_differ_and_contexts_do_not() -> None:
    assert key_digest("k", STATE) != key_digest("l", STATE)
    assert key_digest("k", STATE) == key_digest("k", KeyState((VERSION,), {"eu:aaaa.life1": 3, "us:bbbb.life1": 9}))


def test_tombstones_and_nothing_are_the_same() -> None:
    assert key_digest("k", KeyState((TOMBSTONE,), {"us:aaaa.life1": 1})) == key_digest("k", EMPTY) == 0


@given(digests=st.lists(st.integers(0, (1 << BITS) - 1)))
def test_a_sum_says_how_many_and_is_the_same_in_any_order(digests: list[int]) -> None:
    total = added(digests)
    assert total == added(reversed(digests))
    assert total.keys == sum(digest != 0 for digest in digests)
    assert total.low + (total.high << 30) == sum(digests)
    assert added([]) == Digest()


def test_ranges_are_open_at_the_start_and_closed_at_the_end_in_byte_order() -> None:
    within = KeyRange("b", "\uffff")
    assert [key for key in ["a", "b", "c", "\uffff", "\U0001f600"] if within.holds(key)] == ["c", "\uffff"]
    assert KeyRange().holds("\U0001f600")
