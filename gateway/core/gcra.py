"""May one more come now? The generic cell rate algorithm (ITU-T I.371), a token bucket kept in one number.

    tat     "theoretical arrival time": when the bucket is full again; a key whose tat has passed is as good as unknown,
            so forgetting it loses nothing
    take    one token: tat moves on by the emission interval; it may go at once while tat stays within a burst of now

All times are monotonic seconds of one machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

EPSILON_S: Final = 1e-9
"""What adding up floating-point intervals may be off: a thousand tokens of a nanosecond-exact clock."""


@dataclass(frozen=True, slots=True)
class Quota:
    """So many at once, and then so many over time."""

    rate: float
    """Tokens a second."""
    burst: int
    """Tokens at once."""
    interval_s: float
    """Seconds a token takes to come back."""
    burst_s: float
    """Seconds an empty bucket takes to fill."""


class Taken(NamedTuple):
    """What came of asking for one token."""

    wait_s: float
    """0.0: go. Up to what was allowed: go then. More: refused, and nothing was taken."""
    tat: float


def quota(rate: float, burst: int | None) -> Quota:
    """`burst`: by default what the rate gives in a second, at least one."""
    size = burst if burst is not None else max(1, math.floor(rate))
    return Quota(rate, size, 1.0 / rate, size / rate)


def share(whole: Quota, parts: int) -> Quota:
    """One of `parts` equal parts: its rate exactly, its burst at least one."""
    return quota(whole.rate / parts, max(1, whole.burst // parts)) if parts > 1 else whole


def take(tat: float, now: float, of: Quota) -> tuple[float, float]:
    """The key's next `tat`, and how long from now its request must wait; 0.0 when it may go at once.

    Whoever refuses the request leaves the old `tat` in place. One further ahead than a full bucket and all that may
    wait in line can owe is of another clock or of an older configuration, and is cut down to an empty bucket.
    """
    base = tat if tat > now else now
    fresh = base + of.interval_s
    wait_s = fresh - now - of.burst_s
    return fresh, wait_s if wait_s > EPSILON_S else 0.0


def sane(tat: float, now: float, of: Quota, max_wait_s: float) -> float:
    """`tat`, unless no request by this quota can have set it."""
    latest = now + of.burst_s + max_wait_s + of.interval_s
    return tat if tat <= latest else now + of.burst_s


def left(tat: float, now: float, of: Quota) -> int:
    """Tokens that are there now."""
    owed = tat - now
    if owed <= 0:
        return of.burst
    return max(0, int((of.burst_s - owed) / of.interval_s + 1e-6))
