"""Which endpoint of a tier takes this request?

`round_robin` takes turns by weight. `least_request` draws two at random and takes the one with fewer requests in
flight (Mitzenmacher, "The power of two choices"); with unequal weights, fewer for its weight. Endpoints that this
request has tried already are left out as long as there are others.
"""

from __future__ import annotations

import random
from collections.abc import Collection

from gateway.core.book import EndpointBook
from gateway.core.gate import Endpoint, RegionPool, Tier


def choose(
    pool: RegionPool, algorithm: str, book: EndpointBook, *, tried: Collection[str], rng: random.Random, now: float
) -> Endpoint | None:
    """One endpoint of the pool that has not been tried, or None."""
    if pool.trials:
        trial = _due_trial(pool, book, tried, now)
        if trial is not None:
            return trial
    for tier in pool.tiers:
        if algorithm == "round_robin":
            endpoint = _next_turn(tier, book, pool.id, tried)
        else:
            endpoint = _least_loaded(tier, book, tried, rng)
        if endpoint is not None:
            return endpoint
    return None


def _due_trial(pool: RegionPool, book: EndpointBook, tried: Collection[str], now: float) -> Endpoint | None:
    """A stale verdict is settled by one request a probe interval: a crowd would be lost if it is still true."""
    for endpoint in pool.trials:
        load = book.load(endpoint.id)
        if endpoint.id in tried or load.in_flight:
            continue
        if load.last_failure_at is None or now - load.last_failure_at >= endpoint.probe_interval_s:
            return endpoint
    return None


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
    endpoints: tuple[Endpoint, ...] | list[Endpoint] = tier.endpoints
    if tried:
        endpoints = [endpoint for endpoint in endpoints if endpoint.id not in tried]
    count = len(endpoints)
    if count < 2:
        return endpoints[0] if count else None
    loads = book.loads
    one = int(rng.random() * count)
    other = int(rng.random() * (count - 1))
    if other >= one:
        other += 1
    first, second = endpoints[one], endpoints[other]
    first_load = loads[first.id].in_flight if first.id in loads else 0
    second_load = loads[second.id].in_flight if second.id in loads else 0
    if tier.has_equal_weights:
        return first if first_load <= second_load else second
    return first if (first_load + 1) * second.weight <= (second_load + 1) * first.weight else second
