"""Is this service up, as seen from here, and where?

    in each of its regions   as a region is judged (region.py), by this service's endpoints there
    untested   no endpoint is up anywhere, and a region has not been tested: nobody knows
    up         up in each region that has been tested
    degraded   it can be had, but is degraded or down in one of its regions
    down       every endpoint is down

It is there for people: requests are steered by the verdicts on endpoints and regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from health.core.region import RegionHealth, judge
from health.core.verdict import Health

ServiceHealth = RegionHealth
"""The same four words."""


@dataclass(frozen=True, slots=True)
class ServiceInRegion:
    """How a service is in one of its regions."""

    region: str
    health: ServiceHealth
    healthy: int
    total: int
    reason: str


@dataclass(frozen=True, slots=True)
class ServiceVerdict:
    """What is known of one service. `reason` speaks of now, `since` of when `health` became what it is."""

    service: str
    health: ServiceHealth
    healthy: int
    total: int
    reason: str
    since: float
    """Wall seconds."""
    regions: tuple[ServiceInRegion, ...]


def judge_service(regions: Sequence[ServiceInRegion]) -> tuple[ServiceHealth, str]:
    """A service's health and one sentence about it."""
    healthy, total = sum(one.healthy for one in regions), sum(one.total for one in regions)
    sentence = f"{healthy} of {total} endpoint{'s' if total != 1 else ''} up"
    if healthy == 0:
        is_unknown = not regions or any(one.health == "untested" for one in regions)
        return ("untested" if is_unknown else "down"), sentence
    unwell = [f"{one.health} in {one.region}" for one in regions if one.health in ("degraded", "down")]
    return ("degraded", f"{sentence}, {', '.join(unwell)}") if unwell else ("up", sentence)


class ServiceLedger:
    """Counts a service's endpoints by region and health: a result costs what the service has regions."""

    def __init__(self, service: str, *, now: float) -> None:
        self.service = service
        self.minimum_capacity: dict[str, float] = {}
        """By region, the share of its endpoints below which the service is degraded there."""
        self._counts: dict[str, dict[Health, int]] = {}
        self._health: ServiceHealth = "untested"
        self._since = now

    def move(self, region: str, before: Health | None, after: Health | None) -> None:
        """An endpoint's health changed; None before it joined and after it left. `settle` judges afterwards."""
        counts = self._counts.setdefault(region, {"untested": 0, "up": 0, "down": 0})
        if before is not None:
            counts[before] -= 1
        if after is not None:
            counts[after] += 1
        if not any(counts.values()):
            del self._counts[region]

    @property
    def is_empty(self) -> bool:
        return not self._counts

    def settle(self, *, now: float) -> bool:
        """Judges anew; says whether the service's health changed. `now` is wall time."""
        health, _ = judge_service(self._regions())
        if health == self._health:
            return False
        self._health, self._since = health, now
        return True

    def verdict(self) -> ServiceVerdict:
        regions = self._regions()
        health, reason = judge_service(regions)
        return ServiceVerdict(
            service=self.service,
            health=health,
            healthy=sum(one.healthy for one in regions),
            total=sum(one.total for one in regions),
            reason=reason,
            since=self._since,
            regions=regions,
        )

    def _regions(self) -> tuple[ServiceInRegion, ...]:
        return tuple(self._in(region, counts) for region, counts in sorted(self._counts.items()))

    def _in(self, region: str, counts: dict[Health, int]) -> ServiceInRegion:
        health, reason = judge(
            up=counts["up"],
            down=counts["down"],
            untested=counts["untested"],
            minimum_capacity=self.minimum_capacity.get(region, 0.0),
        )
        return ServiceInRegion(region, health, counts["up"], sum(counts.values()), reason)
