"""When so few endpoints are healthy that the healthy ones would be crushed, are those with bad verdicts used as well?

Only when the regions that may serve the route together cannot carry its load, and only in a region where some, but
fewer than the threshold's share, are healthy: one without any is dead, and with none alive the answer is 503.
Residency and the operator's orders hold in panic too: the candidates are the same, only the prober is doubted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.core.gate import RegionPool


def capacity(pool: RegionPool, overprovisioning: float) -> float:
    """Share of the region's load that its healthy endpoints can carry, 0 to 1 (Envoy's health of a priority)."""
    return min(1.0, overprovisioning * pool.healthy / pool.total) if pool.total else 0.0


def panicking(
    regions: Iterable[str], pools: Mapping[str, RegionPool], *, threshold: float, overprovisioning: float
) -> frozenset[str]:
    """The regions, among those that may serve, whose endpoints are all to be used."""
    if threshold <= 0.0:
        return frozenset()
    allowed = [pools[region] for region in regions if region in pools]
    if all(pool.healthy == pool.total for pool in allowed):
        return frozenset()
    carried = sum(capacity(pool, overprovisioning) for pool in allowed)
    if carried >= 1.0 or not any(pool.healthy for pool in allowed):
        return frozenset()
    return frozenset(pool.region for pool in allowed if 0 < pool.healthy < threshold * pool.total)
