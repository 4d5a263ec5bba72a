"""Who of a region's endpoints stands where at this moment? What the gate knows by the snapshot, and the book by itself.

    RegionPool (operator, probes, weight) ──┐
    EndpointBook (ejected, breaker, ────────┴──> Standing: tiers to choose from, trials, who is held back and why
        unreachable, started a while ago)

Worked out when something has changed, or when time changes something by itself (`until`); a request only looks whether
it still holds. Three rules keep the gate live: every reason ends by time or admits trial requests; who is ejected or
unreachable is asked all the same when nobody else is left anywhere; and no reason waits for another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.core import reasons
from gateway.core.book import EndpointBook, EndpointLoad
from gateway.core.gate import Endpoint, PassedOver, RegionPool, Tier, make_tier

LEAST_SHARE: Final = 0.1
"""Of an endpoint's weight, right after it came up."""
STEPS: Final = 20
"""In which a slow start's share grows."""
_UNKNOWN: Final = EndpointLoad()
TRIED: Final = (reasons.HALF_OPEN, reasons.UNREACHABLE)
_LAST: Final = (reasons.OUTLIER, reasons.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Standing:
    """One pool at a moment."""

    pool: RegionPool
    epoch: int
    """Of the book, when this was worked out."""
    until: float
    """From when on it may be different."""
    tiers: tuple[Tier, ...]
    shares: tuple[float, ...] | None
    """Summed up: below the first, a draw from 0 to 1 means the first tier, and so on. None: the first takes all."""
    last_resort: Tier | None
    held_back: tuple[PassedOver, ...]
    starting: tuple[tuple[str, float], ...]
    """Endpoint ids in slow start, and which share of their weight they have."""


def standing(pool: RegionPool, book: EndpointBook, now: float) -> Standing:
    """What holds now, worked out anew only where it has to be."""
    known = book.standings.get(pool.id)
    if known is not None and known.pool is pool and known.epoch == book.epoch and now < known.until:
        return known
    known = book.standings[pool.id] = _work_out(pool, book, now)
    return known


def observe(pool: RegionPool, book: EndpointBook, now: float) -> None:
    """A new snapshot is in force: whoever comes back from outside the gate starts slowly."""
    for over in pool.passed_over:
        book.load(over.endpoint.id).was_out = True
    for tier in pool.tiers:
        for endpoint in tier.endpoints:
            load = book.loads.get(endpoint.id)
            if load is not None and load.was_out:
                load.was_out = False
                load.came_up_at = now
                if endpoint.health == "up":
                    load.is_unreachable = False  # the prober has reached it since


def _work_out(pool: RegionPool, book: EndpointBook, now: float) -> Standing:
    until = math.inf
    tiers: list[Tier] = []
    held: list[PassedOver] = []
    resort: list[Endpoint] = []
    starting: list[tuple[str, float]] = []
    for plain in pool.tiers:
        tier = plain
        eligible: list[Endpoint] = []
        weights: list[float] = []
        trials: list[Endpoint] = []
        for endpoint, weight in zip(tier.endpoints, tier.weights, strict=True):
            load = book.loads.get(endpoint.id) or _UNKNOWN
            over = held_back_by(endpoint, load, book, now)
            if over is not None:
                held.append(over[0])
                until = min(until, over[1])
                if over[0].reason in TRIED:
                    trials.append(endpoint)
                if over[0].reason in _LAST:
                    resort.append(endpoint)
                continue
            share = slow_start(load, book.ejected_until(endpoint.id, load), pool.balancing.slow_start_s, now)
            if share < 1.0:
                starting.append((endpoint.id, share))
                until = min(until, now + pool.balancing.slow_start_s / STEPS)
            eligible.append(endpoint)
            weights.append(weight * share)
        if len(eligible) < len(tier.endpoints) or weights != list(tier.weights):
            tier = replace(make_tier(eligible, weights, pool.balancing.algorithm, of=tier), trials=tuple(trials))
        tiers.append(tier)
    return Standing(
        pool=pool,
        epoch=book.epoch,
        until=until,
        tiers=tuple(tiers),
        shares=_shares(tiers, pool.balancing.overprovisioning),
        last_resort=make_tier(resort, [each.share for each in resort], "least_request") if resort else None,
        held_back=tuple(held),
        starting=tuple(starting),
    )


def held_back_by(
    endpoint: Endpoint, load: EndpointLoad, book: EndpointBook, now: float
) -> tuple[PassedOver, float] | None:
    """What a worker has learnt against an endpoint, and from when on that may be different; None: nothing."""
    ejected_until = book.ejected_until(endpoint.id, load)
    if now < ejected_until:
        return PassedOver(endpoint, reasons.OUTLIER, f"ejected for {ejected_until - now:.1f} s more"), ejected_until
    breaker = load.breaker
    if breaker is not None and not breaker.is_closed:
        if now < breaker.open_until:
            detail = f"open for {breaker.open_until - now:.1f} s more"
            return PassedOver(endpoint, reasons.BREAKER_OPEN, detail), breaker.open_until
        return PassedOver(endpoint, reasons.HALF_OPEN, f"{breaker.policy.trials} trials at a time"), math.inf
    if load.is_unreachable:
        return PassedOver(endpoint, reasons.UNREACHABLE, "the last connection to it failed; trials only"), math.inf
    return None


def slow_start(load: EndpointLoad, ejected_until: float, window_s: float, now: float) -> float:
    """Which share of its weight an endpoint has: a tenth at first, all of it after the window."""
    if window_s <= 0.0:
        return 1.0
    since = ejected_until
    if load.came_up_at is not None and load.came_up_at > since:
        since = load.came_up_at
    elif since <= 0.0:
        return 1.0
    return min(1.0, max(LEAST_SHARE, (now - since) / window_s))


def _shares(tiers: Sequence[Tier], overprovisioning: float) -> tuple[float, ...] | None:
    """How traffic spreads over priorities: the next gets what those before it are too few for (Envoy's health(P))."""
    first = [tier for tier in tiers if not tier.is_backup]
    if len(first) < 2:
        return None
    health = [min(1.0, overprovisioning * len(tier.endpoints) / tier.total) if tier.total else 1.0 for tier in first]
    if health[0] >= 1.0:
        return None
    carried = min(1.0, sum(health))
    if carried <= 0.0:
        return None
    sums, so_far = [], 0.0
    for each in health:
        so_far = min(1.0, so_far + each / carried)
        sums.append(so_far)
    return tuple(sums)
