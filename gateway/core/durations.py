"""How long do a service's answers take? A histogram that forgets, for the delay after which a request is hedged.

Buckets grow by a quarter, so that a quantile is right within that; counts halve whenever they reach a bound, so that
the last few thousand answers decide. Too few answers give no figure: a hedge would be a guess.
"""

from __future__ import annotations

import math
from typing import Final

GROWTH: Final = 1.25
SMALLEST_S: Final = 0.0005
BUCKETS: Final = 64
"""The largest is at 0.5 ms x 1.25^63, about ten minutes."""
HALVED_AT: Final = 4096
ENOUGH: Final = 50

_LOG_GROWTH: Final = math.log(GROWTH)


class Durations:
    """Of one service, on one worker."""

    __slots__ = ("_counts", "_total")

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self._total = 0

    def add(self, duration_s: float) -> None:
        index = 0 if duration_s <= SMALLEST_S else math.ceil(math.log(duration_s / SMALLEST_S) / _LOG_GROWTH)
        self._counts[min(index, BUCKETS - 1)] += 1
        self._total += 1
        if self._total >= HALVED_AT:
            self._counts = [count // 2 for count in self._counts]
            self._total = sum(self._counts)

    def quantile(self, share: float) -> float | None:
        """Seconds that this share of the answers took at most; None while there are too few."""
        if self._total < ENOUGH:
            return None
        wanted = share * self._total
        seen = 0
        for index, count in enumerate(self._counts):
            seen += count
            if seen >= wanted:
                return SMALLEST_S * float(GROWTH**index)
        return None
