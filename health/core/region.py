"""Is this region up, as seen from here?

    untested   no endpoint is up, and not all have been tested: nobody knows
    up         enough of the tested endpoints are up
    degraded   some are up, but a smaller share of the tested ones than the region's minimum capacity
    down       every endpoint is down

Untested endpoints are left out of the share: a node that has just started has not found a region degraded. This
verdict steers this node's own requests; that a region is down for everybody is decided by a vote, elsewhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from health.core.verdict import Health

RegionHealth = Literal["untested", "up", "degraded", "down"]

FLAP_WINDOW_S = 600.0
"""Changes in the last ten minutes are counted: long enough to see a region that comes and goes with a deployment."""

CHANGES_KEPT = 32


@dataclass(frozen=True, slots=True)
class RegionChange:
    """One change of a region's health, at `at` (wall seconds)."""

    at: float
    health: RegionHealth
    reason: str


@dataclass(frozen=True, slots=True)
class RegionVerdict:
    """What is known of one region. `reason` speaks of now, `since` of when `health` became what it is."""

    region: str
    health: RegionHealth
    healthy: int
    total: int
    reason: str
    since: float
    """Wall seconds."""
    changes: int = 0
    """Times that health changed in the last `FLAP_WINDOW_S`, its first test not counted; at most `CHANGES_KEPT`."""


def judge(*, up: int, down: int, untested: int, minimum_capacity: float) -> tuple[RegionHealth, str]:
    """A region's health and one sentence about it."""
    total = up + down + untested
    sentence = f"{up} of {total} endpoint{'s' if total != 1 else ''} up"
    if untested:
        sentence += f", {untested} untested"
    if up == 0:
        return ("untested" if untested or not total else "down"), sentence
    if up < minimum_capacity * (up + down):
        return "degraded", f"{sentence}, expected at least {minimum_capacity:.0%}"
    return "up", sentence


class RegionLedger:
    """Counts a region's endpoints by health, so that a probe's result costs the same in a region of any size."""

    def __init__(self, region: str, *, now: float) -> None:
        self.region = region
        self.minimum_capacity = 0.0
        self.changes: deque[RegionChange] = deque(maxlen=CHANGES_KEPT)
        self._counts: dict[Health, int] = {"untested": 0, "up": 0, "down": 0}
        self._health: RegionHealth = "untested"
        self._since = now
        self._changed_at: deque[float] = deque(maxlen=CHANGES_KEPT)

    def move(self, before: Health | None, after: Health | None) -> None:
        """An endpoint's health changed; None before it joined and after it left. `settle` judges afterwards."""
        if before is not None:
            self._counts[before] -= 1
        if after is not None:
            self._counts[after] += 1

    @property
    def is_empty(self) -> bool:
        return not any(self._counts.values())

    def settle(self, *, now: float, steady: float) -> bool:
        """Judges anew; says whether the region's health changed. `now` is wall time, `steady` never jumps."""
        health, reason = self._judge()
        if health == self._health:
            return False
        if self._health != "untested":
            self._changed_at.append(steady)
        self._health, self._since = health, now
        self.changes.append(RegionChange(now, health, reason))
        return True

    def verdict(self, *, steady: float) -> RegionVerdict:
        health, reason = self._judge()
        return RegionVerdict(
            region=self.region,
            health=health,
            healthy=self._counts["up"],
            total=sum(self._counts.values()),
            reason=reason,
            since=self._since,
            changes=sum(steady - at <= FLAP_WINDOW_S for at in self._changed_at),
        )

    def _judge(self) -> tuple[RegionHealth, str]:
        counts = self._counts
        return judge(
            up=counts["up"],
            down=counts["down"],
            untested=counts["untested"],
            minimum_capacity=self.minimum_capacity,
        )
