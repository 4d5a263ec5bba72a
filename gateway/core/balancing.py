"""Which endpoint of a region takes this request?

    round_robin        by turns, each as often as its weight says
    weighted, random   drawn, by weight or regardless of it
    least_request      of two drawn, the one with fewer requests in flight for its weight (Mitzenmacher's two choices)
    least_connections  of all, the one with fewest for its weight
    peak_ewma          of two drawn, the lower latency times requests in flight (gateway/core/latencies.py)
    resource_based     of two drawn, the lower reported utilisation times requests in flight
    ip_hash            where its key belongs (gateway/core/maglev.py)
    consistent_hash    the same, unless that endpoint has a quarter more than its part of all requests in flight

Tiers come in order (gateway/core/standing.py). Endpoints that this request has tried already are left out.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Collection
from typing import Final

from gateway.core.book import EndpointBook, EndpointLoad
from gateway.core.gate import Endpoint, PassedOver, RegionPool, Tier, passes
from gateway.core.maglev import places, share_of
from gateway.core.standing import TRIED, Standing, held_back_by, standing

BOUND: Final = 1.25
"""Of an endpoint's part of all requests in flight, under consistent_hash."""
REPORT_HOLDS_S: Final = 30.0
"""A utilisation reported longer ago says nothing."""
USUAL_UTILISATION: Final = 0.5
"""Of an endpoint that reports none."""
LEAST_UTILISATION: Final = 0.01


def choose(
    pool: RegionPool,
    algorithm: str,
    book: EndpointBook,
    *,
    tried: Collection[str],
    rng: random.Random,
    now: float,
    key: bytes = b"",
) -> Endpoint | None:
    """One endpoint of the pool that has not been tried, or None. `key` is what hashing keeps together."""
    if pool.trials:
        trial = _stale_trial(pool, book, tried, now)
        if trial is not None:
            return trial
    known = book.standings.get(pool.id)
    if known is None or known.pool is not pool or known.epoch != book.epoch or now >= known.until:
        known = standing(pool, book, now)
    tiers = known.tiers
    if known.shares is not None:
        tiers = _in_drawn_order(known, key, rng)
    for tier in tiers:
        if tier.trials:
            trial = _trial(tier, book, tried, now)
            if trial is not None:
                return trial
        endpoint = _one_of(tier, algorithm, book, pool.id, tried, rng, now, key)
        if endpoint is not None:
            return endpoint
    return None


def choose_last(pool: RegionPool, book: EndpointBook, *, rng: random.Random, now: float) -> Endpoint | None:
    """When nobody else is left anywhere: of those held back who may be well all the same."""
    tier = standing(pool, book, now).last_resort
    return _least_loaded(tier, book, (), rng) if tier is not None else None


def _one_of(  # noqa: C901, PLR0911, PLR0917 - hot: a bundle of arguments would be one more object a request
    tier: Tier,
    algorithm: str,
    book: EndpointBook,
    pool_id: str,
    tried: Collection[str],
    rng: random.Random,
    now: float,
    key: bytes,
) -> Endpoint | None:
    if not tier.endpoints:
        return None
    if algorithm == "least_request":
        return _least_loaded(tier, book, tried, rng)
    if algorithm == "round_robin":
        return _next_turn(tier, book, pool_id, tried)
    if key and algorithm in ("consistent_hash", "ip_hash"):
        return _by_key(tier, book, pool_id, tried, rng=rng, key=key, is_bounded=algorithm == "consistent_hash")
    if tried:
        tier = _without(tier, tried)
        if not tier.endpoints:
            return None
    if algorithm in ("weighted", "random"):
        return tier.endpoints[_draw(tier, rng)]
    if algorithm == "least_connections":
        return _least_of_all(tier, book, rng)
    if algorithm == "peak_ewma":
        return _cheaper_of_two(tier, book, rng, now, by_latency=True)
    if algorithm == "resource_based":
        return _cheaper_of_two(tier, book, rng, now, by_latency=False)
    return _least_loaded(tier, book, (), rng)


def may_take(pool: RegionPool, endpoint: Endpoint, book: EndpointBook, now: float) -> PassedOver | None:
    """Whether a request that belongs to this very endpoint may go there: by the same gate as for all, its trials too.

    None: it may. `pool` is the one that `endpoint` is of.
    """
    over = passes(endpoint, in_panic=pool.ignores_verdicts)
    if over is not None:
        return None if endpoint in pool.trials and _may_try_stale(endpoint, book, now) else over
    load = book.loads.get(endpoint.id)
    held = held_back_by(endpoint, load, book, now) if load is not None else None
    if load is None or held is None or (held[0].reason in TRIED and _may_try(load, now)):
        return None
    return held[0]


def _stale_trial(pool: RegionPool, book: EndpointBook, tried: Collection[str], now: float) -> Endpoint | None:
    for endpoint in pool.trials:
        if endpoint.id not in tried and _may_try_stale(endpoint, book, now):
            return endpoint
    return None


def _may_try_stale(endpoint: Endpoint, book: EndpointBook, now: float) -> bool:
    """A stale verdict is settled by one request a probe interval: a crowd would be lost if it is still true."""
    load = book.load(endpoint.id)
    if load.in_flight:
        return False
    return load.last_failure_at is None or now - load.last_failure_at >= endpoint.probe_interval_s


def _trial(tier: Tier, book: EndpointBook, tried: Collection[str], now: float) -> Endpoint | None:
    for endpoint in tier.trials:
        if endpoint.id not in tried and _may_try(book.loads[endpoint.id], now):
            return endpoint
    return None


def _may_try(load: EndpointLoad, now: float) -> bool:
    """Whoever was unreachable, or failing, may have recovered."""
    if load.is_unreachable and now < load.trial_at:
        return False
    return load.breaker is None or load.breaker.admits(now)


def _in_drawn_order(known: Standing, key: bytes, rng: random.Random) -> tuple[Tier, ...]:
    """The tier that the draw falls on, then the others. A key always draws the same, so that it stays put."""
    shares = known.shares or ()
    drawn = bisect_right(shares, share_of(key, "tier") if key else rng.random())
    tiers = known.tiers
    if drawn == 0 or drawn >= len(tiers):
        return tiers
    return (tiers[drawn], *tiers[:drawn], *tiers[drawn + 1 :])


def _next_turn(tier: Tier, book: EndpointBook, pool_id: str, tried: Collection[str]) -> Endpoint | None:
    rotation = book.rotation(pool_id)
    sequence = tier.sequence
    if not tried:
        rotation.turn += 1
        return sequence[rotation.turn % len(sequence)]
    # A retry takes nobody's turn: or every other endpoint would get all the first attempts.
    for ahead in range(1, len(sequence) + 1):
        endpoint = sequence[(rotation.turn + ahead) % len(sequence)]
        if endpoint.id not in tried:
            return endpoint
    return None


def _least_loaded(tier: Tier, book: EndpointBook, tried: Collection[str], rng: random.Random) -> Endpoint | None:
    if tried:
        tier = _without(tier, tried)
    endpoints = tier.endpoints
    count = len(endpoints)
    if count < 2:
        return endpoints[0] if count else None
    loads = book.loads
    one = int(rng.random() * count) if tier.has_equal_weights else _draw(tier, rng)
    other = int(rng.random() * (count - 1))
    if other >= one:
        other += 1
    first, second = endpoints[one], endpoints[other]
    first_load = loads[first.id].in_flight if first.id in loads else 0
    second_load = loads[second.id].in_flight if second.id in loads else 0
    if tier.has_equal_weights:
        return first if first_load <= second_load else second
    # The first was drawn by weight, so where both are idle each gets its share.
    return first if first_load * tier.weights[other] <= second_load * tier.weights[one] else second


def _least_of_all(tier: Tier, book: EndpointBook, rng: random.Random) -> Endpoint:
    start = _draw(tier, rng)
    count = len(tier.endpoints)
    best, least = start, -1.0
    for ahead in range(count):
        index = (start + ahead) % count
        load = book.loads.get(tier.endpoints[index].id)
        cost = load.in_flight / tier.weights[index] if load is not None else 0.0
        if least < 0.0 or cost < least:
            best, least = index, cost
    return tier.endpoints[best]


def _cheaper_of_two(tier: Tier, book: EndpointBook, rng: random.Random, now: float, *, by_latency: bool) -> Endpoint:
    count = len(tier.endpoints)
    if count == 1:
        return tier.endpoints[0]
    one = _draw(tier, rng)
    other = int(rng.random() * (count - 1))
    if other >= one:
        other += 1
    cost = _latency_cost if by_latency else _utilisation_cost
    first = cost(tier.endpoints[one], book, now) * tier.weights[other]
    second = cost(tier.endpoints[other], book, now) * tier.weights[one]
    return tier.endpoints[one if first <= second else other]


def _latency_cost(endpoint: Endpoint, book: EndpointBook, now: float) -> float:
    load = book.loads.get(endpoint.id)
    if load is None or load.latency is None:
        return 0.0
    return load.latency.read(now) * (load.in_flight + 1)


def _utilisation_cost(endpoint: Endpoint, book: EndpointBook, now: float) -> float:
    load = book.loads.get(endpoint.id)
    if load is None:
        return USUAL_UTILISATION
    utilisation = USUAL_UTILISATION
    if load.utilisation_at is not None and now - load.utilisation_at < REPORT_HOLDS_S:
        utilisation = max(LEAST_UTILISATION, load.utilisation)
    return utilisation * (load.in_flight + 1)


def _by_key(
    tier: Tier,
    book: EndpointBook,
    pool_id: str,
    tried: Collection[str],
    *,
    rng: random.Random,
    key: bytes,
    is_bounded: bool,
) -> Endpoint | None:
    members = tier.configured
    table = book.table(f"{pool_id}/{tier.name}", ((each.id, each.weight) for each in members))
    standing_at = {each.id: index for index, each in enumerate(tier.endpoints)}
    for place in places(key):
        endpoint = members[table[place]]
        index = standing_at.get(endpoint.id)
        if index is None or endpoint.id in tried:
            continue
        share = tier.weights[index] / endpoint.weight
        if share < 1.0 and share_of(key, endpoint.id) >= share:
            continue
        if is_bounded and _is_over_bound(tier, book, index):
            continue
        return tier.endpoints[index]
    return _least_loaded(tier, book, tried, rng)


def _is_over_bound(tier: Tier, book: EndpointBook, index: int) -> bool:
    load = book.loads.get(tier.endpoints[index].id)
    if load is None or load.in_flight < 2:
        return False
    all_in_flight = sum(book.loads[each.id].in_flight for each in tier.endpoints if each.id in book.loads)
    part = tier.weights[index] / tier.cumulative[-1]
    return load.in_flight + 1 > BOUND * (all_in_flight + 1) * part + 1


def _without(tier: Tier, tried: Collection[str]) -> Tier:
    return tier.without(tried)


def _draw(tier: Tier, rng: random.Random) -> int:
    """An index by weight."""
    sums = tier.cumulative
    return min(bisect_right(sums, rng.random() * sums[-1]), len(sums) - 1)
