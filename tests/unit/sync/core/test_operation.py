from __future__ import annotations

import msgspec
import pytest

from sync.core.operation import (
    FORMAT,
    GENESIS,
    FromLaterVersion,
    Malformed,
    Operation,
    Sealed,
    decode_head,
    head_bytes,
    head_hash,
    value_hash,
    verify_value,
)

SALT = b"s" * 16
VALUE = b'{"a":1}'
ORIGIN = "eu:s000.aaaa"


def operation(**changes: object) -> Operation:
    written = Operation(
        format=FORMAT,
        stream="notes",
        origin=ORIGIN,
        seq=2,
        previous=GENESIS,
        key="k",
        kind="put",
        context=((ORIGIN, 1),),
        hlc=5 << 16,
        content_type="application/json",
        size=len(VALUE),
        value_hash=value_hash(SALT, "application/json", VALUE),
        client="desk",
        sequence=7,
        request=b"r" * 16,
        actor="ada",
        written_ms=5,
    )
    return msgspec.structs.replace(written, **changes)


def test_an_operation_comes_back_from_its_canonical_bytes() -> None:
    head = head_bytes(operation())
    assert decode_head(head) == operation()
    assert head_bytes(decode_head(head)) == head


def test_every_field_of_the_head_is_bound_by_its_hash() -> None:
    others = {"key": "l", "kind": "delete", "hlc": 6 << 16, "previous": b"p" * 32, "actor": "eve", "written_ms": 6}
    hashes = {head_hash(head_bytes(operation(**{name: value}))) for name, value in others.items()}
    assert len(hashes | {head_hash(head_bytes(operation()))}) == len(others) + 1


def test_the_value_is_bound_by_a_hash_with_a_key_of_its_own() -> None:
    head = head_bytes(operation())
    verify_value(operation(), Sealed(head, SALT, VALUE))
    with pytest.raises(Malformed, match="a value that is not the one"):
        verify_value(operation(), Sealed(head, SALT, b'{"a":2}'))
    with pytest.raises(Malformed, match="a value that is not the one"):
        verify_value(operation(), Sealed(head, b"t" * 16, VALUE))
    with pytest.raises(Malformed, match="a value of 3 bytes"):
        verify_value(operation(), Sealed(head, SALT, b"abc"))
    assert VALUE not in head


def test_the_content_type_cannot_be_moved_into_the_value() -> None:
    assert value_hash(SALT, "ab", b"c") != value_hash(SALT, "a", b"bc")


def test_a_flipped_bit_anywhere_is_noticed() -> None:
    head = head_bytes(operation())
    for position in range(len(head)):
        flipped = bytearray(head)
        flipped[position] ^= 1
        try:
            decoded = decode_head(bytes(flipped))
        except Malformed:
            continue
        assert head_hash(bytes(flipped)) != head_hash(head)
        assert decoded != operation()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seq": 0}, "below its range"),
        ({"hlc": 1 << 63}, "above its range"),
        ({"origin": "nobody"}, "expected region:store"),
        ({"previous": b""}, "not 32 bytes long"),
        ({"context": (("us:s000.aaaa", 1), (ORIGIN, 1))}, "canonical order"),
        ({"context": ((ORIGIN, 0),)}, "canonical order"),
        ({"context": ((ORIGIN, 2),)}, "holds its own operation"),
    ],
)
def test_an_operation_that_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(Malformed, match=message):
        decode_head(head_bytes(operation(**changes)))


def test_bytes_that_are_not_canonical_are_refused() -> None:
    fields = msgspec.msgpack.decode(head_bytes(operation()))
    padded = msgspec.msgpack.encode([*fields, "more"])
    with pytest.raises(Malformed, match="not canonical"):
        decode_head(padded)


@pytest.mark.parametrize("garbage", [b"", b"\x00", b"\xc1", b"\x91\x01", b"{}" * 50])
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(Malformed):
        decode_head(garbage)


def test_what_a_later_version_wrote_is_told_apart_and_kept_as_far_as_it_is_understood() -> None:
    fields = msgspec.msgpack.decode(head_bytes(operation(format=FORMAT + 1)))
    with pytest.raises(FromLaterVersion) as refused:
        decode_head(msgspec.msgpack.encode([*fields, "new field"]))
    assert refused.value.operation is not None
    assert refused.value.operation.key == "k"
    with pytest.raises(FromLaterVersion) as refused:
        decode_head(msgspec.msgpack.encode([FORMAT + 1, {"another": "shape"}]))
    assert refused.value.operation is None
