"""What had the writer read? The context token: what a read answers, and a later write of the same key gives back.

It names its stream and key, so that it fits nowhere else, and carries the largest stamp read, so that the write is
stamped above it even in a region whose clock is behind. Sealed: a forged context could supersede what nobody read.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from config.core.signing import Signer
from sync.core.dots import VersionVector, is_vector

PURPOSE: Final = "sync context"
KEY_DIGEST_BYTES: Final = 8


class Context(msgspec.Struct, frozen=True, array_like=True):
    """What somebody has read of one key."""

    stream: str
    key_digest: bytes
    vector: VersionVector
    hlc: int

    def fits(self, stream: str, key: str) -> bool:
        return self.stream == stream and self.key_digest == _digest(key)


_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(Context)


def seal_context(stream: str, key: str, vector: VersionVector, hlc: int, signer: Signer) -> str:
    return signer.seal(PURPOSE, _encode(Context(stream, _digest(key), vector, hlc)))


def open_context(text: str, signer: Signer) -> Context | None:
    """None for what this mesh did not write."""
    payload = signer.open(PURPOSE, text)
    if payload is None:
        return None
    try:
        context = _decoder.decode(payload)
    except msgspec.DecodeError:
        return None
    return context if is_vector(context.vector) else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:KEY_DIGEST_BYTES]
