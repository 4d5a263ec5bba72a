"""When may a child that died start again?

At once the first time, because the usual death is a single bad day; then ever later, because a child that dies at every
start would otherwise burn the processor its siblings serve with. A child that lived long enough starts afresh.
"""

from __future__ import annotations

FIRST_DELAY_S = 0.25
FACTOR = 2.0
MAX_DELAY_S = 30.0
STABLE_AFTER_S = 60.0
"""Longer than any start takes, so a child that dies while it starts never counts as stable."""


class Backoff:
    """The ledger of one child's deaths."""

    __slots__ = ("_deaths",)

    def __init__(self) -> None:
        self._deaths = 0

    def died(self, *, started_at: float, now: float) -> float:
        """Note a death; seconds to wait before the next start."""
        if now - started_at >= STABLE_AFTER_S:
            self._deaths = 0
        self._deaths += 1
        if self._deaths == 1:
            return 0.0
        # The exponent is bounded before the power is taken: 2.0 ** 2000 is an OverflowError, not a long wait.
        return float(min(MAX_DELAY_S, FIRST_DELAY_S * FACTOR ** min(self._deaths - 2, 16)))
