"""Ends of frames in any pieces, and Close frames that a library reads."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode

from gateway.core.frames import Cut, Frames, close_frame


def frame(size: int, *, masked: bool) -> bytes:
    return Frame(Opcode.BINARY, b"x" * size).serialize(mask=masked)


def ends(pieces: list[bytes]) -> tuple[list[int], bool]:
    """Positions of the ends of frames that were told, and whether the last byte was one."""
    frames, at, found = Frames(), 0, []
    for piece in pieces:
        end = frames.feed(piece)
        if end >= 0:
            found.append(at + end)
        at += len(piece)
    return found, frames.is_between


@given(
    st.lists(st.sampled_from([0, 1, 125, 126, 127, 300, 65535, 65536]), min_size=1, max_size=6),
    st.booleans(),
    st.lists(st.integers(1, 40), max_size=40),
)
def test_every_end_is_found_whatever_the_pieces(sizes: list[int], masked: bool, cuts: list[int]) -> None:
    whole = [frame(size, masked=masked) for size in sizes]
    data = b"".join(whole)
    bounds = sorted({0, len(data), *(min(len(data), sum(cuts[:count])) for count in range(len(cuts)))})
    pieces = [data[start:stop] for start, stop in pairwise(bounds)]
    true_ends = [sum(map(len, whole[: count + 1])) for count in range(len(whole))]
    expected, start = [], 0
    for piece in pieces:
        inside = [end for end in true_ends if start < end <= start + len(piece)]
        expected += inside[-1:]
        start += len(piece)
    assert ends(pieces) == (expected, True)


def test_in_the_middle_of_a_head_or_a_payload_it_is_not_between_frames() -> None:
    data = frame(300, masked=True)
    for size in (1, 2, 3, 7, 8, 100, len(data) - 1):
        assert ends([data[:size]]) == ([], False)
    assert ends([data]) == ([len(data)], True)
    assert Frames().is_between


def test_a_close_frame_says_code_and_reason_and_is_masked_for_a_server() -> None:
    plain = close_frame(1012, "being stopped")
    assert plain == b"\x88\x0f" + Close(1012, "being stopped").serialize()
    masked = close_frame(1001, "gone", b"\x01\x02\x03\x04")
    assert masked[:2] == b"\x88\x86"
    assert bytes(byte ^ masked[2 + index % 4] for index, byte in enumerate(masked[6:])) == b"\x03\xe9gone"
    assert len(close_frame(1001, "x" * 500)) == 127, "a control frame has at most 125 bytes of payload"


def test_a_cut_covers_its_endpoints_or_all() -> None:
    assert Cut({"a"}, 1001, "", b"").covers("a")
    assert not Cut({"a"}, 1001, "", b"").covers("b")
    assert Cut(None, 1001, "", b"").covers("b")
