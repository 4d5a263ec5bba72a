"""How many requests at a time can a service bear? Learnt from how long its answers take (Netflix's Gradient2).

    short    mean of the last window: at least a quarter of a second, and ten answers
    long     moving average of the windows, over minutes
    limit <- limit x clamp(1.5 x long / short, 0.5, 1) + 4, smoothed

While answers take what they always took, the limit grows by a little; when they take longer than half as much again, a
queue has formed behind the service and the limit falls, by a tenth a window at most. It never probes: there is no
moment in which load is held back only to measure (Envoy pins its limit to 3 for that, and refuses what comes then). It
does not grow while less than half of it is used, for then it is not what holds anybody back.
"""

from __future__ import annotations

from math import exp
from typing import Final

INITIAL: Final = 20
LOWEST: Final = 4
"""As many as a queue of this size would add: below, nothing could be learnt any more."""
WINDOW_S: Final = 0.25
SAMPLES: Final = 10
"""In a window at least: the mean of fewer says little."""
TOLERANCE: Final = 1.5
QUEUE: Final = 4
SMOOTHING: Final = 0.2
LONG_S: Final = 600.0
"""What was usual for ten minutes is what is usual."""
WARM_UP: Final = 10
"""Windows of which the long average is the plain mean."""
FORGETS: Final = 0.95
"""Of a long average that is more than twice what answers take now: it was learnt in worse times."""


class Gradient:
    """One service's, on one data plane. `highest` is what the limit may not pass."""

    __slots__ = ("_began", "_long_s", "_most", "_samples", "_sum_s", "_windows", "highest", "limit")

    def __init__(self, *, highest: int, now: float) -> None:
        self.highest = highest
        self.limit = float(min(INITIAL, highest))
        self._long_s = 0.0
        self._windows = 0
        self._began = now
        self._sum_s = 0.0
        self._samples = 0
        self._most = 0
        """Requests under way in this window, at the most."""

    def add(self, took_s: float, active: int, now: float) -> bool:
        """One answer's time, with so many requests under way; whether the limit was worked out anew."""
        self._sum_s += took_s
        self._samples += 1
        self._most = max(self._most, active)
        if self._samples < SAMPLES or now - self._began < WINDOW_S:
            return False
        self._learn(max(1e-6, self._sum_s / self._samples), now - self._began)
        self._begin(now)
        return True

    def _begin(self, now: float) -> None:
        self._began = now
        self._sum_s = 0.0
        self._samples = 0
        self._most = 0

    def _learn(self, short_s: float, lasted_s: float) -> None:
        self._windows += 1
        weight = 1.0 / self._windows if self._windows <= WARM_UP else 1.0 - exp(-lasted_s / LONG_S)
        self._long_s += (short_s - self._long_s) * weight
        if self._long_s > 2.0 * short_s:
            self._long_s *= FORGETS
        if self._most < self.limit / 2.0:
            return
        gradient = max(0.5, min(1.0, TOLERANCE * self._long_s / short_s))
        wanted = self.limit * gradient + QUEUE
        smoothed = self.limit * (1.0 - SMOOTHING) + wanted * SMOOTHING
        self.limit = max(float(min(LOWEST, self.highest)), min(float(self.highest), smoothed))
