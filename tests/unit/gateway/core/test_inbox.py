"""Heads come out as they went in, however they were split."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.inbox import Inbox

HEADS = [b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", b"B\r\n\r\n", b"X" * 300 + b"\r\nY: z\r\n\r\n"]


@given(
    heads=st.lists(st.sampled_from(HEADS), max_size=8),
    empty=st.integers(min_value=0, max_value=3),
    cuts=st.lists(st.integers(min_value=0, max_value=3000), max_size=20),
)
def test_any_split_gives_the_same_heads(heads: list[bytes], empty: int, cuts: list[int]) -> None:
    wire = b"".join(b"\r\n" * empty + head for head in heads) + b"rest"
    places = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    inbox, found = Inbox(), []
    for start, end in pairwise(places):
        if start < end:
            inbox.add(wire[start:end])
        while head := inbox.next_head():
            found.append(head)
    assert found == heads
    assert inbox.peek() == b"rest"
    assert inbox.size == 4


def test_only_empty_lines_leave_nothing_behind() -> None:
    inbox = Inbox()
    for _ in range(5):
        inbox.add(b"\r\n\r\n\r")
        assert inbox.next_head() is None
        inbox.add(b"\n")
        assert inbox.next_head() is None
        assert inbox.size == 0


def test_what_is_taken_is_gone() -> None:
    inbox = Inbox()
    inbox.add(b"PROXY xGET /\r\n")
    assert inbox.take(7) == b"PROXY x"
    inbox.add(b"\r\nrest")
    assert inbox.next_head() == b"GET /\r\n\r\n"
    assert inbox.take() == b"rest"
    assert (inbox.size, inbox.peek()) == (0, b"")
