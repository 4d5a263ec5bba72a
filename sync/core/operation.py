"""One write, as it is logged, chained, sent and verified.

    head        the fields below in canonical bytes (MessagePack, in this order); covers everything but the value
    hash        SHA-256(head); the next head of the same origin and stream names it as `previous`
    value_hash  HMAC-SHA256(salt, content type, value), in the head; salt and value travel beside the head

The chain shows at once when a restored store goes on from an old state (a fork) or when somebody altered the past.
The value is bound by a hash with a key of its own, which is erased together with the value: afterwards the chain can
still be verified, and nobody can tell by guessing what the value was.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, Literal

import msgspec

from config.core import hmac_sha256
from sync.core.dots import VersionVector, canonical, is_origin, is_vector

FORMAT: Final = 1
"""Of the head; one that is higher was written by a later version, and waits until this one is upgraded."""
SALT_BYTES: Final = 16
HASH_BYTES: Final = 32
GENESIS: Final = bytes(HASH_BYTES)
"""What the first operation of an origin names as its predecessor."""

Kind = Literal["put", "delete", "resolve"]
"""resolve: a put that a person or a rule made of concurrent versions."""


class Operation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The head of one write. Field order is the format: add at the end, and raise FORMAT."""

    format: int
    stream: str
    origin: str
    seq: int
    previous: bytes
    key: str
    kind: Kind
    context: tuple[tuple[str, int], ...]
    """What the writer had read of this key, in canonical order."""
    hlc: int
    content_type: str
    size: int
    """Of the value, in bytes."""
    value_hash: bytes
    client: str
    """Of the operation id; empty where the writer gave none."""
    sequence: int
    request: bytes
    """Keyed digest of what the client asked for: equal where the same operation was sent to two regions."""
    actor: str
    written_ms: int
    """Wall time of the store, for people only."""

    @property
    def is_delete(self) -> bool:
        return self.kind == "delete"

    def vector(self) -> VersionVector:
        return dict(self.context)


class Sealed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An operation as it lies in a log and travels: canonical head, and what the head binds but does not hold."""

    head: bytes
    salt: bytes
    """Empty once the value was erased."""
    value: bytes

    def size(self) -> int:
        return len(self.head) + len(self.salt) + len(self.value)


class Malformed(Exception):
    """Bytes that are no operation, or not the one that they claim to be. The message says what was found."""


class ValueDamaged(Malformed):
    """A sound head with a value that is not the one that was written, or with none."""


class FromLaterVersion(Malformed):
    """Sound as far as can be told, but written in a format that this version does not know yet.

    `operation`: what this version can read of it, if anything; enough to keep it and pass it on.
    """

    def __init__(self, found: int, operation: Operation | None) -> None:
        super().__init__(f"an operation of format {found}, expected at most {FORMAT}")
        self.operation = operation


_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(Operation)
_format_decoder: Final = msgspec.msgpack.Decoder(list[msgspec.Raw])


def head_bytes(operation: Operation) -> bytes:
    return _encode(operation)


def head_hash(head: bytes) -> bytes:
    return hashlib.sha256(head).digest()


def value_hash(salt: bytes, content_type: str, value: bytes) -> bytes:
    return hmac_sha256.digest(salt, b"%d:%b:" % (len(content_type), content_type.encode()) + value)


def decode_head(head: bytes) -> Operation:
    """The operation, if these are its canonical bytes. Raises Malformed."""
    try:
        operation = _decoder.decode(head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if _format_of(head) > FORMAT:
            raise FromLaterVersion(_format_of(head), None) from None
        raise Malformed(f"no operation: {error}") from None
    fault = _fault(operation)
    if fault:
        raise Malformed(fault)
    if operation.format > FORMAT:
        raise FromLaterVersion(operation.format, operation)
    if _encode(operation) != head:
        raise Malformed("an operation whose bytes are not canonical")
    return operation


def decode_stored(head: bytes) -> Operation:
    """A head from this store's own log, verified when it came; of a later version as far as it is understood."""
    try:
        return decode_head(head)
    except FromLaterVersion as later:
        if later.operation is None:
            raise
        return later.operation


class _Place(msgspec.Struct, array_like=True, gc=False):
    """The first fields of a head; the others are skipped."""

    format: int
    stream: str
    origin: str
    seq: int


_place_decoder: Final = msgspec.msgpack.Decoder(_Place)


def dot_of(head: bytes) -> tuple[str, int]:
    """The dot that a head claims, unverified and cheap. Raises Malformed."""
    try:
        place = _place_decoder.decode(head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"no operation: {error}") from None
    return place.origin, place.seq


def without_value(sealed: Sealed) -> Sealed:
    """For who holds the head and not the value: the chain goes on, and nobody takes something else for the value."""
    return Sealed(sealed.head, b"", b"")


def verify_value(operation: Operation, sealed: Sealed) -> None:
    """The value is the one that was written. Raises ValueDamaged."""
    if not sealed.salt:
        raise ValueDamaged("an operation without its value: whoever sent it holds it no more")
    if len(sealed.value) != operation.size:
        raise ValueDamaged(f"a value of {len(sealed.value)} bytes, expected {operation.size}")
    if not hmac.compare_digest(value_hash(sealed.salt, operation.content_type, sealed.value), operation.value_hash):
        raise ValueDamaged("a value that is not the one its head names")


def _fault(operation: Operation) -> str:  # noqa: PLR0911 - a rule each
    if operation.format < 1 or operation.seq < 1 or operation.hlc < 0 or operation.size < 0 or operation.sequence < 0:
        return "a number below its range"
    if operation.seq >= 1 << 63 or operation.hlc >= 1 << 63 or operation.sequence >= 1 << 63:
        return "a number above its range"
    if not is_origin(operation.origin):
        return f"origin {operation.origin!r}, expected region:store.incarnation"
    if len(operation.previous) != HASH_BYTES or len(operation.value_hash) != HASH_BYTES:
        return f"a hash that is not {HASH_BYTES} bytes long"
    vector = operation.vector()
    if not is_vector(vector) or canonical(vector) != operation.context:
        return "a context that is no vector in canonical order"
    if vector.get(operation.origin, 0) >= operation.seq:
        return "a context that holds its own operation"
    return ""


def _format_of(head: bytes) -> int:
    try:
        return msgspec.msgpack.decode(_format_decoder.decode(head)[0], type=int)
    except (msgspec.DecodeError, IndexError, UnicodeDecodeError):
        return 0
