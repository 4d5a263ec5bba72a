"""Do two stores hold the same? Sums over ranges of keys, equal where the keys and their versions are.

    key_digest(key, state)     60 bits of key, dots, stamps, deletions; never a value; 0 when nothing lives
    Digest                     how many live keys a range has, and the sum of their digests in two halves of 30 bits

A sum and no tree: stores keep the digest beside each key and let the database add, so that a million keys are compared
in a fraction of a second, and the halves of a billion keys still fit 64 bits. Tombstones do not count, for one store
may have forgotten what another still remembers. Nor does the context of a key: it grows by what arrives late.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
import xxhash

from sync.core.versions import KeyState

HALF_BITS: Final = 30
HALF_MASK: Final = (1 << HALF_BITS) - 1
BITS: Final = 2 * HALF_BITS

_encode: Final = msgspec.msgpack.Encoder().encode


class KeyRange(msgspec.Struct, frozen=True, array_like=True):
    """Keys behind `after`, up to and with `upto`, in order of their UTF-8 bytes. None: to the end."""

    after: str = ""
    upto: str | None = None

    def holds(self, key: str) -> bool:
        at = key.encode()
        return at > self.after.encode() and (self.upto is None or at <= self.upto.encode())


class Digest(msgspec.Struct, frozen=True, array_like=True):
    """Of a range."""

    keys: int = 0
    low: int = 0
    high: int = 0


def key_digest(key: str, state: KeyState) -> int:
    """What a store keeps beside the key's state."""
    if not state.is_live:
        return 0
    facts = [(version.dots, version.hlc, version.mark, version.is_deleted) for version in state.versions]
    # Never 0, which says that nothing lives.
    return (xxhash.xxh3_64_intdigest(_encode((key, facts))) & ((1 << BITS) - 1)) or 1


def added(digests: Iterable[int]) -> Digest:
    """The digest of a range from those of its keys."""
    living = [digest for digest in digests if digest]
    return Digest(
        len(living),
        sum(digest & HALF_MASK for digest in living),
        sum(digest >> HALF_BITS for digest in living),
    )
