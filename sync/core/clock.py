"""When, in a mesh whose clocks differ? A hybrid logical clock (Kulkarni et al., 2014) with bounded drift.

    stamp = milliseconds since 1970 (48 bits) << 16 | counter (16 bits)

    stamp(now)         above everything stamped or observed before, also when the wall clock went back
    observe(stamp)     what another store stamped moves this clock ahead ...
    may_adopt(stamp)   ... unless it lies further ahead than `max_skew_s`: such a stamp is kept, not yet visible,
                       and never adopted, or one broken clock would drag the mesh into the future

Causality decides first; a stamp orders only what is truly concurrent. That works because a stamp is above all that
its writer could have seen, which is why what is too far ahead must stay invisible until the clock gets there.

The caller keeps `last` with the data that was stamped, in the same transaction, and gives it back after a restart: the
persisted upper bound below which nothing is stamped again.
"""

from __future__ import annotations

from typing import Final

COUNTER_BITS: Final = 16
MAX_STAMP: Final = (1 << 63) - 1
"""Stores keep stamps as signed 64-bit integers."""


def stamp_of(now: float) -> int:
    """The first stamp of this moment. `now` is wall time in seconds."""
    return int(now * 1000) << COUNTER_BITS


def seconds_of(stamp: int) -> float:
    """Wall time of a stamp, in seconds."""
    return (stamp >> COUNTER_BITS) / 1000


class Clock:
    """One store's clock. `now` is wall time in seconds, corrected by the caller when peers disagree with it."""

    __slots__ = ("last", "max_skew_s")

    def __init__(self, *, max_skew_s: float, last: int = 0) -> None:
        self.max_skew_s = max_skew_s
        self.last = last
        """The largest stamp given or adopted; to be kept by the caller."""

    def stamp(self, *, now: float) -> int:
        """A stamp above all before it. A full counter borrows from the next millisecond."""
        self.last = max(self.last + 1, stamp_of(now))
        return self.last

    def may_adopt(self, stamp: int, *, now: float) -> bool:
        """Whether a stamp of another store is in range: visible here, and safe to move ahead to."""
        return stamp <= stamp_of(now + self.max_skew_s)

    def observe(self, stamp: int, *, now: float) -> bool:
        """Move above what was seen; False, and no move, when it is too far ahead."""
        if not self.may_adopt(stamp, now=now):
            return False
        self.last = max(self.last, stamp)
        return True

    def visible_at(self, stamp: int) -> float:
        """Wall time, in seconds, from which a stamp is in range."""
        return seconds_of(stamp) - self.max_skew_s

    def ahead_s(self, *, now: float) -> float:
        """How far the clock runs ahead of the wall: more than a moment means that the wall clock went back."""
        return max(0.0, seconds_of(self.last) - now)
