"""Who has come how often, exactly, on the whole node? One table in memory that all workers share.

    header  | seed
    buckets | 16 marks (which keys, 8 bytes each) | 16 arrival times (gcra.py)        one lock each
    spare   | one arrival time a limit, for keys that find no place

A key is looked for in one bucket only, picked by a keyed hash that nobody outside can aim. An entry whose time has
passed says nothing any more and is taken over; when all sixteen still count, the key shares its limit's spare entry
with all others that found no place: memory never grows, and nobody gains by flooding it.

A bucket's lock is its first byte (gateway/byte_locks.py). Where it is not had in time, because its holder does not run,
the update is made without it, which can lose at most that one count, and is counted.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from typing import Final

from gateway.byte_locks import ByteLocks
from gateway.core.gcra import Quota, Taken, sane, take

BUCKETS: Final = 8192
"""Of sixteen keys: 131,072 keys that count at a time, in 2 MiB."""
WAYS: Final = 16
SPARES: Final = 1024
HEADER: Final = struct.Struct("<8s16s40x")
MAGIC: Final = b"tg-gcra1"
SEED_BYTES: Final = 16

_MARKS: Final = struct.Struct(f"<{WAYS}Q")
_TIMES: Final = struct.Struct(f"<{WAYS}d")
_MARK: Final = struct.Struct("<Q")
_TIME: Final = struct.Struct("<d")
_DIGEST: Final = struct.Struct("<QQ")
_BUCKET_BYTES: Final = _MARKS.size + _TIMES.size


def table_bytes(buckets: int = BUCKETS) -> int:
    return HEADER.size + buckets * _BUCKET_BYTES + SPARES * _TIME.size


def head_of_empty() -> bytes:
    """What an empty table begins with."""
    return HEADER.pack(MAGIC, os.urandom(SEED_BYTES))


class Table:
    """One process's view of it."""

    def __init__(self, descriptor: int | None = None, *, buckets: int = BUCKETS) -> None:
        """Without a descriptor it is this process's alone, and needs no locks."""
        size = table_bytes(buckets)
        if descriptor is None:
            self._memory = mmap.mmap(-1, size)
            self._memory[: HEADER.size] = head_of_empty()
        else:
            self._memory = mmap.mmap(descriptor, size)
        magic, self._seed = HEADER.unpack_from(self._memory, 0)
        if magic != MAGIC:
            raise ValueError("found a descriptor of something else, expected a table of limits")
        self._locks = ByteLocks(descriptor)
        self._buckets = buckets
        self._spares_at = HEADER.size + buckets * _BUCKET_BYTES
        self.overflowed = 0
        """Requests whose key found no place."""

    @property
    def unlocked(self) -> int:
        """Updates that were made without the lock."""
        return self._locks.missed

    def take(
        self, key: bytes, of: Quota, now: float, max_wait_s: float = 0.0, *, spend: bool = True, owed_until: float = 0.0
    ) -> Taken:
        """One token for `key`; `spend` False only looks. `owed_until`: its `tat` at least, as others know it."""
        at, mark = _DIGEST.unpack(hashlib.blake2b(key, digest_size=16, key=self._seed).digest())
        memory = self._memory
        bucket = HEADER.size + at % self._buckets * _BUCKET_BYTES
        is_locked = spend and self._locks.take(bucket)
        try:
            marks = _MARKS.unpack_from(memory, bucket)
            times_at = bucket + _MARKS.size
            if mark in marks:
                place = marks.index(mark)
                tat = _TIME.unpack_from(memory, times_at + 8 * place)[0]
            else:
                tat = 0.0
                times = _TIMES.unpack_from(memory, times_at)
                soonest = min(times)
                if soonest > now:
                    return self._take_spare(key, of, now, max_wait_s, spend=spend)
                place = times.index(soonest)
                if spend:
                    _MARK.pack_into(memory, bucket + 8 * place, mark)
            tat = max(tat, owed_until)
            if tat > now:
                tat = sane(tat, now, of, max_wait_s)
            fresh, wait_s = take(tat, now, of)
            if wait_s > max_wait_s or not spend:
                return Taken(wait_s, tat)
            _TIME.pack_into(memory, times_at + 8 * place, fresh)
            return Taken(wait_s, fresh)
        finally:
            if is_locked:
                self._locks.free(bucket)

    def _take_spare(self, key: bytes, of: Quota, now: float, max_wait_s: float, *, spend: bool) -> Taken:
        """Together with all keys of this limit that found no place. Not under a lock of its own: it errs by a few."""
        if spend:
            self.overflowed += 1
        name = hashlib.blake2b(key.partition(b"\0")[0], digest_size=8).digest()
        at = self._spares_at + _MARK.unpack(name)[0] % SPARES * 8
        tat = _TIME.unpack_from(self._memory, at)[0]
        if tat > now:
            tat = sane(tat, now, of, max_wait_s)
        fresh, wait_s = take(tat, now, of)
        if wait_s > max_wait_s or not spend:
            return Taken(wait_s, tat)
        _TIME.pack_into(self._memory, at, fresh)
        return Taken(wait_s, fresh)

    def close(self) -> None:
        self._memory.close()
