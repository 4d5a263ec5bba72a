"""Was this number here before, on any worker of the node? Remembered for a while, in memory that all workers see.

    buckets | 16 numbers (8 bytes each) | until when each is remembered

A number is looked for in one bucket, picked by itself: whoever sends numbers has to be trusted to choose them at
random. In a bucket that is full, the one that would be forgotten soonest goes.
"""

from __future__ import annotations

import mmap
import struct
from typing import Final

from gateway.byte_locks import ByteLocks

BUCKETS: Final = 65536
"""Of sixteen: with 300,000 numbers, 10,000 a second for 30 s, hardly one bucket is full. Untouched pages are free."""
WAYS: Final = 16
_NUMBERS: Final = struct.Struct(f"<{WAYS}Q")
_TIMES: Final = struct.Struct(f"<{WAYS}d")
_NUMBER: Final = struct.Struct("<Q")
_TIME: Final = struct.Struct("<d")
_BUCKET_BYTES: Final = _NUMBERS.size + _TIMES.size
SEEN_BYTES: Final = BUCKETS * _BUCKET_BYTES


class Seen:
    """One worker's view."""

    def __init__(self, descriptor: int | None, *, at: int = 0) -> None:
        """`at`: where it begins in the descriptor's memory; without a descriptor it is this process's alone."""
        self._memory = mmap.mmap(-1 if descriptor is None else descriptor, at + SEEN_BYTES)
        self._at = at
        self._locks = ByteLocks(descriptor)

    def is_new(self, number: int, *, until: float, now: float) -> bool:
        """Whether it was not here before; it was, from now on and until then. 64 bits; times of one clock."""
        memory = self._memory
        bucket = self._at + number % BUCKETS * _BUCKET_BYTES
        times_at = bucket + _NUMBERS.size
        is_locked = self._locks.take(bucket)  # without it two at the very same time may both be new
        try:
            times = _TIMES.unpack_from(memory, times_at)
            numbers = _NUMBERS.unpack_from(memory, bucket)
            if number in numbers and times[numbers.index(number)] > now:
                return False
            place = numbers.index(number) if number in numbers else times.index(min(times))
            _NUMBER.pack_into(memory, bucket + 8 * place, number)
            _TIME.pack_into(memory, times_at + 8 * place, until)
        finally:
            if is_locked:
                self._locks.free(bucket)
        return True
