"""Which part of a route's clients does a region hand over to the next, and which clients are these?

    clients, by their place in [0, 1)   |--------- eu ---------|---- us ----|- ap -|
    eu loses endpoints                  |----- eu -----|-------- us --------|- ap -|     who moves, moves once

A region takes what it is fit for: `overprovisioning x healthy share` (Envoy's locality priorities: with 140 % it is
full down to 71 % healthy), times what operators leave it in a drain; and no more than its capacity. The excess, and
nothing else, goes on to the next region in order. A client's place never changes, so that users stay put.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.core.gate import RegionPool

SMOOTHING_S: Final = 2.0
"""Time constant of the measured rate: gradual, so that a burst of a moment moves nobody."""


def fitness(pool: RegionPool | None, overprovisioning: float) -> float:
    """Share of a route's load that a region can carry, by its endpoints; 0 where none may serve."""
    if pool is None:
        return 0.0
    regular = spare = total = 0
    share = 0.0
    for tier in pool.tiers:
        for endpoint in tier.endpoints:
            if endpoint.is_backup:
                spare += 1
            else:
                regular += 1
            share += _operators_share(endpoint)
    up = regular + spare
    if not up:
        return 1.0 if pool.trials else 0.0
    total = regular + sum(1 for over in pool.passed_over if not over.endpoint.is_backup and over.endpoint.weight)
    healthy = min(1.0, overprovisioning * min(1.0, up / max(1, total)))
    return healthy * min(1.0, share / up)


def _operators_share(endpoint: object) -> float:
    order = getattr(endpoint, "operator", None)
    return float(getattr(order, "share", 1.0))


@dataclass(slots=True)
class _Meter:
    capacity: float
    """Requests a second that this data plane may send there."""
    counted: int = 0
    rate: float = 0.0
    share: float = 1.0
    """Of what would come, what may: 1 within capacity."""


class RegionLoads:
    """How much this data plane sends to each region of limited capacity. Written as requests go, read by `Spill`."""

    def __init__(self, capacities: Mapping[str, float], *, now: float) -> None:
        self._meters = {region: _Meter(max(capacity, 0.001)) for region, capacity in capacities.items()}
        self._at = now

    @property
    def limited(self) -> frozenset[str]:
        return frozenset(self._meters)

    def adopt(self, capacities: Mapping[str, float]) -> None:
        """Take over reloaded capacities; what was measured stays."""
        for region in [name for name in self._meters if name not in capacities]:
            del self._meters[region]
        for region, capacity in capacities.items():
            self._meters.setdefault(region, _Meter(capacity)).capacity = max(capacity, 0.001)

    def admits(self, region: str, within: float) -> bool:
        """Count one request that would go there; `within` is its place among these, in [0, 1)."""
        meter = self._meters.get(region)
        if meter is None:
            return True
        meter.counted += 1
        return within < meter.share

    def share(self, region: str) -> float:
        meter = self._meters.get(region)
        return 1.0 if meter is None else meter.share

    def demands(self) -> dict[str, float]:
        """By region: requests a second that would go there, if it had room for all."""
        return {region: meter.rate for region, meter in self._meters.items()}

    def free(self, region: str) -> float:
        """What is left of a region's capacity, 0 to 1."""
        meter = self._meters.get(region)
        return 1.0 if meter is None else max(0.0, 1.0 - meter.rate / meter.capacity)

    def advance(self, now: float) -> None:
        """Measure what came since the last call."""
        elapsed = now - self._at
        if elapsed <= 0:
            return
        self._at = now
        keep = 1.0 / (1.0 + elapsed / SMOOTHING_S)
        for meter in self._meters.values():
            meter.rate = meter.rate * keep + (meter.counted / elapsed) * (1.0 - keep)
            meter.counted = 0
            meter.share = 1.0 if meter.rate <= meter.capacity else meter.capacity / meter.rate


UNLIMITED: Final = RegionLoads({}, now=0.0)


def spilled_to(regions: Sequence[str], fit: Sequence[float], loads: RegionLoads, place: float) -> int:
    """Index of the region that takes the client at `place`; 0 where nobody has room."""
    whole = sum(fit)
    scale = 1.0 / whole if 0.0 < whole < 1.0 else 1.0
    taken = 0.0
    for index, region in enumerate(regions):
        width = min(1.0 - taken, fit[index] * scale)
        if width <= 0.0:
            continue
        if place < taken + width and loads.admits(region, (place - taken) / width):
            return index
        taken += width * loads.share(region)
    return next((index for index, each in enumerate(fit) if each > 0.0), 0)
