"""What goes in comes out, piece by piece."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.coders import coder

READERS: dict[str, Callable[[], Callable[[bytes], bytes]]] = {
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj().decompress,
    "br": lambda: brotli.Decompressor().process,
    "gzip": lambda: zlib.decompressobj(31).decompress,
}


@pytest.mark.parametrize("coding", READERS)
@given(pieces=st.lists(st.binary(max_size=2000), max_size=8))
def test_each_piece_can_be_read_as_soon_as_it_has_left(coding: str, pieces: list[bytes]) -> None:
    writer, read = coder(coding), READERS[coding]()
    for piece in pieces:
        written = writer.piece(piece, ended=False)
        assert (read(written) if written else b"") == piece
    assert read(writer.piece(b"", ended=True)) == b""


@pytest.mark.parametrize("coding", READERS)
def test_text_becomes_much_smaller(coding: str) -> None:
    assert len(coder(coding).piece(b"hello, world\n" * 1000, ended=True)) < 300
