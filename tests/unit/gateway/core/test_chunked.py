"""Strict chunked framing, whatever the split."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.chunked import LAST_CHUNK, MAX_LINE_BYTES, MAX_TRAILER_BYTES, ChunkedReader, ChunkedRefused, chunk


def read(*pieces: bytes) -> tuple[bytes, ChunkedReader]:
    reader = ChunkedReader()
    return b"".join(reader.feed(piece) for piece in pieces), reader


def test_chunks_are_joined_and_the_end_is_found() -> None:
    body, reader = read(b"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nX-Sum: 1\r\n\r\nGET /")
    assert body == b"abcde"
    assert reader.is_done
    assert reader.rest == b"GET /"


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=50), max_size=6),
    cuts=st.lists(st.integers(min_value=0, max_value=400), max_size=12),
)
def test_any_split_of_the_bytes_reads_the_same(chunks: list[bytes], cuts: list[int]) -> None:
    wire = b"".join(chunk(data) for data in chunks) + LAST_CHUNK + b"next"
    places = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    reader = ChunkedReader()
    body = b""
    rest = b""
    for start, end in pairwise(places):
        if reader.is_done:
            rest += wire[start:end]
        else:
            body += reader.feed(wire[start:end])
            rest = reader.rest
    assert body == b"".join(chunks)
    assert reader.is_done
    assert rest == b"next"


@pytest.mark.parametrize(
    "wire",
    [
        b"0x3\r\nabc\r\n",
        b"+3\r\nabc\r\n",
        b"-1\r\n",
        b"\r\nabc",
        b"3 x\r\nabc\r\n",
        b"1_0\r\n",
        b"10000000000000000\r\n",
        b"3\nabc\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabcXX",
        b"3\r\nabc\n",
        b"3;\x00\r\nabc\r\n",
        b"0\r\nbroken trailer\r\n\r\n",
        b"0\r\nX: \x01\r\n\r\n",
        b"0\r\n X: folded\r\n\r\n",
        b"3" + b";x" * MAX_LINE_BYTES,
        b"0\r\nX: " + b"a" * (MAX_TRAILER_BYTES + 1),
        b"0\r\n" + b"X: a\r\n" * MAX_TRAILER_BYTES,
    ],
)
def test_what_lenient_readers_accept_is_refused(wire: bytes) -> None:
    with pytest.raises(ChunkedRefused):
        read(wire)


@pytest.mark.parametrize("wire", [b"0x3\r\nabc\r\n", b"3\r\nabcXX", b"3\nabc\r\n", b"3\r\nabcd\r\n"])
def test_a_refusal_does_not_depend_on_the_split(wire: bytes) -> None:
    with pytest.raises(ChunkedRefused):
        read(*(wire[at : at + 1] for at in range(len(wire))))
