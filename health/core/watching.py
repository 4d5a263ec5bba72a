"""What does one who looks at the regions have to say of each: reachable, or down since long enough to vote so?

    verdict down          ──for `timeout_s`──> votes down, with what was seen
    verdict up, degraded  ─────────────────> votes reachable
    untested              ─────────────────> nothing

Nodes and the witness vote alike; how votes are counted is in votes.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from health.core.region import RegionVerdict


class Watching:
    """One voter's memory. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._down_since: dict[str, float] = {}
        self._well_since: dict[str, float] = {}

    def votes(
        self, verdicts: Mapping[str, RegionVerdict], *, timeout_s: float, now: float
    ) -> dict[str, tuple[str, str]]:
        """By region: what it says, and what it saw, in a sentence."""
        votes: dict[str, tuple[str, str]] = {}
        for region, verdict in verdicts.items():
            if verdict.health == "down":
                self._well_since.pop(region, None)
                for_s = now - self._down_since.setdefault(region, now)
                if for_s >= timeout_s:
                    votes[region] = ("down", f"{verdict.reason} for {for_s:.0f} s")
            elif verdict.health in ("up", "degraded"):
                self._down_since.pop(region, None)
                self._well_since.setdefault(region, now)
                votes[region] = ("reachable", verdict.reason)
        return votes

    def well_for_s(self, *, now: float) -> dict[str, float]:
        """By region that is well: how long."""
        return {name: now - since for name, since in self._well_since.items()}
