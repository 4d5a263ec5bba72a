"""How much did people notice? Shares and gaps, during a fault and around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chaos.traffic.history import Exchange, History, Operation

REFUSED_RIGHTLY = frozenset({308, 421, 429})
"""Sent away for the data's sake, or over the limit: as promised."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Of one kind of request, in one span."""

    asked: int
    failed: int
    longest_gap_s: float
    """Without a success, in the region where that was longest."""
    reasons: tuple[tuple[str, int], ...] = ()
    """Why, most frequent first."""

    @property
    def share(self) -> float:
        return self.failed / self.asked if self.asked else 0.0


def failed(one: Exchange) -> bool:
    """Neither served nor rightly sent away."""
    return not one.is_served and one.status not in REFUSED_RIGHTLY


def of_requests(exchanges: Iterable[Exchange], *, idempotent: bool) -> Budget:
    """Of the requests that may be repeated, or of those that may not."""
    counted = [one for one in exchanges if one.is_idempotent == idempotent and one.status not in REFUSED_RIGHTLY]
    lost = [one for one in counted if failed(one)]
    reasons = Counter(f"{one.status or 'no answer'} {one.reason or ''}".strip() for one in lost)
    gap = max(
        (longest_gap(_of(counted, region)) for region in sorted({one.region for one in counted})),
        default=0.0,
    )
    return Budget(len(counted), len(lost), gap, tuple(reasons.most_common(4)))


def _of(exchanges: Sequence[Exchange], region: str) -> list[tuple[float, bool]]:
    return [(one.ended, one.is_served) for one in exchanges if one.region == region]


def of_writes(operations: Iterable[Operation], span: tuple[float, float]) -> Budget:
    """Of the data operations: whether the first try was acknowledged."""
    tries = [
        (one.attempts[0], one)
        for one in operations
        if one.attempts and one.refused is None and span[0] <= one.attempts[0].began < span[1]
    ]
    outcomes = [(try_.ended, try_.region, try_.status in {200, 201, 202, 204}) for try_, _ in tries]
    reasons = Counter(
        f"{try_.status or 'no answer'} {try_.reason or ''}".strip()
        for (try_, _), (_, _, is_done) in zip(tries, outcomes, strict=True)
        if not is_done
    )
    regions = sorted({region for _, region, _ in outcomes})
    gap = max(
        (longest_gap([(at, done) for at, where, done in outcomes if where == region]) for region in regions),
        default=0.0,
    )
    return Budget(len(outcomes), sum(not done for _, _, done in outcomes), gap, tuple(reasons.most_common(4)))


def longest_gap(outcomes: Iterable[tuple[float, bool]]) -> float:
    """Between two successes, or between the span's first or last outcome and a success; seconds."""
    ordered = sorted(outcomes)
    if not ordered:
        return 0.0
    last, longest = ordered[0][0], 0.0
    for at, is_success in ordered:
        if is_success:
            longest = max(longest, at - last)
            last = at
    return max(longest, ordered[-1][0] - last)


def spread(history: History) -> Budget:
    """WebSocket messages that came back."""
    asked = len(history.echoes)
    lost = sum(one.got is None for one in history.echoes)
    return Budget(asked, lost, 0.0)
