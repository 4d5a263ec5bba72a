"""What was packed unpacks; everything else is refused by name, whatever it claims of itself."""

from __future__ import annotations

import struct

import pytest
import xxhash
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sync.core.operation import Sealed
from sync.core.wire import MAX_ANSWER, PROTOCOL, FrameRefused, Pull, Pulled, StreamHave, StreamNews, pack, unpack

ORIGIN = "eu-west:store1.life1"
LIFE = "us-east:store2.life1"
PULL = Pull(
    PROTOCOL,
    "us-east:store2",
    (StreamHave("notes", {ORIGIN: 3}, {ORIGIN: 2}, LIFE),),
    500,
    1 << 20,
    1.0,
)


def pulled(values: list[bytes]) -> Pulled:
    operations = tuple(Sealed(b"head", b"salt", value) for value in values)
    return Pulled(PROTOCOL, "eu-west:store1", 1.5, (StreamNews("notes", operations, {ORIGIN: 9}),))


def frame(raw: bytes, *, body: bytes | None = None, flags: int = 0, magic: bytes = b"TGR1") -> bytes:
    body = raw if body is None else body
    return struct.pack(">4sBIQ", magic, flags, len(raw), xxhash.xxh3_64_intdigest(body)) + body


@given(values=st.lists(st.binary(max_size=2000), max_size=6))
def test_every_message_comes_back_as_it_was_small_or_compressed(values: list[bytes]) -> None:
    assert unpack(pack(pulled(values)), Pulled, at_most=MAX_ANSWER) == pulled(values)
    assert unpack(pack(PULL), Pull, at_most=MAX_ANSWER) == PULL


def test_what_repeats_itself_travels_compressed() -> None:
    assert len(pack(pulled([b"the same again " * 1000]))) < 1000


@given(at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_is_refused(at: int, bit: int) -> None:
    sound = bytearray(pack(pulled([b"value" * 300])))
    sound[at % len(sound)] ^= 1 << bit
    with pytest.raises(FrameRefused):
        unpack(bytes(sound), Pulled, at_most=MAX_ANSWER)


@given(data=st.binary(max_size=200))
def test_noise_is_refused_without_any_other_error(data: bytes) -> None:
    with pytest.raises(FrameRefused):
        unpack(data, Pull, at_most=MAX_ANSWER)
    with pytest.raises(FrameRefused):
        unpack(frame(data), Pull, at_most=MAX_ANSWER)


def test_a_frame_that_claims_too_much_is_refused_unread() -> None:
    with pytest.raises(FrameRefused, match="a message of 4294967295 bytes, expected at most 1000"):
        unpack(struct.pack(">4sBIQ", b"TGR1", 1, 0xFFFFFFFF, 0), Pulled, at_most=1000)


def test_a_bomb_that_decompresses_to_more_than_it_claims_is_cut_off() -> None:
    bomb = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(50 << 20))
    with pytest.raises(FrameRefused, match="does not decompress"):
        unpack(frame(b"x" * 1000, body=bomb, flags=1), Pulled, at_most=MAX_ANSWER)


def test_another_protocol_is_named() -> None:
    other = Pull(PROTOCOL + 1, *[getattr(PULL, name) for name in PULL.__struct_fields__[1:]])
    with pytest.raises(FrameRefused, match=f"protocol {PROTOCOL + 1}, expected {PROTOCOL}"):
        unpack(pack(other), Pull, at_most=MAX_ANSWER)


@pytest.mark.parametrize("vector", [{"no origin": 1}, {ORIGIN: 0}, {ORIGIN: -1}, {ORIGIN: 1 << 63}])
def test_vectors_that_no_store_could_have_are_refused(vector: dict[str, int]) -> None:
    bad = Pull(PROTOCOL, "us-east:store2", (StreamHave("notes", vector, {}, LIFE),), 500, 1 << 20, 1.0)
    with pytest.raises(FrameRefused, match="unsound origin or sequence"):
        unpack(pack(bad), Pull, at_most=MAX_ANSWER)


def test_one_kind_of_message_never_passes_for_another() -> None:
    with pytest.raises(FrameRefused, match="no Pulled"):
        unpack(pack(PULL), Pulled, at_most=MAX_ANSWER)
