"""Which endpoints answer so much worse than the others that they stay out for a while?

    errors in a row ─────────── each worker sees them ──┐
                                                        ├──> ejected for base x 2^n, at most max_ejection
    success rate of all workers ── control compares it ─┘

Two rules bound it: of two or more endpoints at most the configured share is out, though always one may be, and never
all of them. Each ejection in a row doubles the next; each `base_ejection` spent well halves it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True, slots=True)
class OutlierPolicy:
    """One service's."""

    interval_s: float
    consecutive_errors: int
    deviations: float
    min_hosts: int
    min_requests: int
    base_s: float
    longest_s: float
    max_share: float

    def most(self, endpoints: int) -> int:
        """How many of so many may be out at a time."""
        if endpoints < 2:
            return 0
        return min(endpoints - 1, max(1, int(self.max_share * endpoints)))


class Ejections:
    """One service's, as one process sees them."""

    __slots__ = ("_row", "policy", "until")

    def __init__(self, policy: OutlierPolicy) -> None:
        self.policy = policy
        self.until: dict[str, float] = {}
        """By endpoint id: when it may serve again; some of it in the past."""
        self._row: dict[str, int] = {}

    def out(self, now: float) -> set[str]:
        return {endpoint for endpoint, until in self.until.items() if until > now}

    def eject(self, endpoint: str, *, of: int, elsewhere: int = 0, now: float) -> float | None:
        """Until when it is out; None when it stays because too many are out, `elsewhere` by somebody else's say."""
        before = self.until.get(endpoint)
        if before is not None and before > now:
            return None
        if len(self.out(now)) + elsewhere >= self.policy.most(of):
            return None
        row = self._row.get(endpoint, 0)
        if before is not None:
            row = max(0, row - int((now - before) // self.policy.base_s))
        until = now + min(self.policy.base_s * 2.0 ** min(row, 30), self.policy.longest_s)
        self.until[endpoint] = until
        self._row[endpoint] = row + 1
        return until

    def keep_only(self, known: set[str]) -> None:
        for gone in self.until.keys() - known:
            del self.until[gone]
            self._row.pop(gone, None)


def success_rate_outliers(counts: Mapping[str, tuple[int, int]], policy: OutlierPolicy) -> list[str]:
    """Endpoints so many standard deviations below the mean success rate, the worst first.

    `counts` is (answers and failures, failures of them) in one interval.
    """
    rates = {
        endpoint: 1.0 - errors / requests
        for endpoint, (requests, errors) in counts.items()
        if requests >= policy.min_requests
    }
    if len(rates) < policy.min_hosts:
        return []
    mean = sum(rates.values()) / len(rates)
    deviation = sqrt(sum((rate - mean) ** 2 for rate in rates.values()) / len(rates))
    bar = mean - policy.deviations * deviation
    return sorted((name for name, rate in rates.items() if rate < bar), key=lambda name: rates[name])
