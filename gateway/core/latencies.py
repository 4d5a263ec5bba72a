"""How long does an endpoint take of late? A moving average that believes bad news at once and good news slowly.

A sample above the average replaces it; one below pulls it down by its age (Finagle's "peak EWMA"). Reading it decays
it as well, towards nothing, so that a slow endpoint is asked again after a while. A failure counts as a slow answer:
a server that refuses fast must not look like the best one.
"""

from __future__ import annotations

from math import exp
from typing import Final

DECAY_S: Final = 10.0
UNKNOWN_S: Final = 0.03
"""Of an endpoint that has answered nothing yet: Linkerd's default."""
PENALTY_S: Final = 5.0
"""A failure's."""


class PeakEwma:
    """One endpoint's."""

    __slots__ = ("_at", "_value_s")

    def __init__(self) -> None:
        self._value_s = UNKNOWN_S
        self._at: float | None = None

    def add(self, sample_s: float, now: float) -> None:
        if self._at is None or sample_s >= self._value_s:
            self._value_s = max(sample_s, 0.0)
            self._at = now
            return
        weight = exp(-max(0.0, now - self._at) / DECAY_S)
        self._value_s = self._value_s * weight + max(0.0, sample_s) * (1.0 - weight)
        self._at = now

    def fail(self, now: float) -> None:
        self.add(max(PENALTY_S, self._value_s), now)

    def read(self, now: float) -> float:
        """In seconds; reading changes nothing."""
        if self._at is None:
            return self._value_s
        return self._value_s * exp(-max(0.0, now - self._at) / DECAY_S)
