"""In which order may the regions serve this route, and why that order?

    allowed and active regions ──> strategy ──> ranked, each with a score and a reason
    the others               ──────────────> excluded, each with its reason and rule

Residency comes before any preference: a region that may not hold the route's data types is not a candidate, for no
strategy, failure or shortage. Ties end by priority, then id, so that every node orders alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import xxhash

from gateway.core import reasons
from gateway.core.countries import COUNTRIES
from gateway.core.geography import Point, distance_km


@dataclass(frozen=True, slots=True)
class RegionFacts:
    """One region as configured."""

    id: str
    priority: int
    is_active: bool
    location: Point | None
    gateway: str | None
    cost: float = 1.0
    zones: frozenset[str] = frozenset()
    """Compliance zones that it belongs to."""
    is_through_gateway: bool = False
    """Whether it is reached through its own gateway, not straight at its endpoints."""
    is_replica: bool = False
    """Whether it takes no writes."""


@dataclass(frozen=True, slots=True)
class RankedRegion:
    """A region that may serve, with its place's reason. Lower scores are better; None where nothing was measured."""

    region: str
    score: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class ExcludedRegion:
    """A region that may not serve this route, whatever else happens."""

    region: str
    reason: str
    rule: str | None


SWITCH_MARGIN: Final = 0.2
"""A region takes over as the nearest by latency only when it is this much nearer: noise must not move traffic."""
SWITCH_MARGIN_S: Final = 0.002
"""... and by at least this much, or two regions a millisecond away would change places all day."""


def latency_order(
    rtts: Mapping[str, float], regions: Sequence[RegionFacts], previous: Sequence[str] = ()
) -> tuple[str, ...]:
    """Regions by round trip, nearest first, with hysteresis towards `previous`; never measured ones last."""
    by_id = {region.id: region for region in regions}

    def rank(region_id: str) -> tuple[float, int, str]:
        return rtts.get(region_id, float("inf")), by_id[region_id].priority, region_id

    order = [region for region in previous if region in by_id]
    order += sorted((region for region in by_id if region not in order), key=rank)
    # Insertion by neighbours: one passes the other only when it is clearly nearer.
    for index in range(1, len(order)):
        at = index
        while at and _is_clearly_nearer(order[at], order[at - 1], rtts):
            order[at], order[at - 1] = order[at - 1], order[at]
            at -= 1
    return tuple(order)


def _is_clearly_nearer(one: str, other: str, rtts: Mapping[str, float]) -> bool:
    if one not in rtts:
        return False
    if other not in rtts:
        return True
    return rtts[one] < rtts[other] * (1 - SWITCH_MARGIN) and rtts[other] - rtts[one] > SWITCH_MARGIN_S


def settled_rtts(measured: Mapping[str, float], previous: Mapping[str, float]) -> dict[str, float]:
    """Round trips for sums, with the same hysteresis: a figure stays what it was until it has clearly moved."""
    return {
        region: previous[region] if region in previous and not _has_moved(rtt, previous[region]) else rtt
        for region, rtt in measured.items()
    }


def _has_moved(now: float, before: float) -> bool:
    moved = abs(now - before)
    return moved > SWITCH_MARGIN * max(now, before) and moved > SWITCH_MARGIN_S


def rank_by_failover(regions: Sequence[RegionFacts]) -> tuple[RankedRegion, ...]:
    """By configured priority, lower first."""
    ordered = sorted(regions, key=lambda region: (region.priority, region.id))
    return tuple(RankedRegion(region.id, float(region.priority), reasons.FAILOVER_ORDER) for region in ordered)


def rank_by_latency(
    regions: Sequence[RegionFacts], order: Sequence[str], rtts: Mapping[str, float]
) -> tuple[RankedRegion, ...]:
    """By this node's measured round trips, in milliseconds; `order` carries the hysteresis (`latency_order`)."""
    place = {region: index for index, region in enumerate(order)}
    ordered = sorted(regions, key=lambda region: (place.get(region.id, len(place)), region.priority, region.id))
    return tuple(
        RankedRegion(region.id, round(rtts[region.id] * 1000, 3), reasons.LOWEST_LATENCY)
        if region.id in rtts
        else RankedRegion(region.id, None, reasons.LATENCY_UNKNOWN)
        for region in ordered
    )


def place_of_client(country: str | None, point: Point | None) -> Point | None:
    """Its own place where that is known, else the middle of its country; None where neither is."""
    return point or (COUNTRIES.get(country) if country is not None else None)


def rank_by_distance(
    regions: Sequence[RegionFacts], client: Point | None, node_location: Point | None
) -> tuple[RankedRegion, ...]:
    """By great-circle distance in kilometres from the client; from this node where its place is unknown.

    A client stands near the node that it reached, so the node's place is the better guess than none.
    """
    origin = client or node_location
    reason = reasons.NEAREST if client else reasons.NEAREST_TO_NODE
    ranked = []
    for region in regions:
        if origin is None or region.location is None:
            ranked.append((float("inf"), region, RankedRegion(region.id, None, reasons.LOCATION_UNKNOWN)))
        else:
            distance = round(distance_km(origin, region.location), 1)
            ranked.append((distance, region, RankedRegion(region.id, distance, reason)))
    ranked.sort(key=lambda entry: (entry[0], entry[1].priority, entry[1].id))
    return tuple(entry[2] for entry in ranked)


def local_first(ranked: Sequence[RankedRegion], local: str) -> tuple[RankedRegion, ...]:
    """`prefer_local`: this node's own region before all others, the others as they were."""
    own = [RankedRegion(entry.region, entry.score, reasons.LOCAL_REGION) for entry in ranked if entry.region == local]
    return (*own, *(entry for entry in ranked if entry.region != local))


def put_first(ranked: Sequence[RankedRegion], wanted: Sequence[str], reason: str) -> tuple[RankedRegion, ...]:
    """The `wanted` ones in that order, where they may serve at all; the others as they were."""
    by_id = {entry.region: entry for entry in ranked}
    first = [RankedRegion(name, by_id[name].score, reason) for name in dict.fromkeys(wanted) if name in by_id]
    moved = {entry.region for entry in first}
    return (*first, *(entry for entry in ranked if entry.region not in moved))


def place_of(key: str, salt: str) -> float:
    """A client's place in [0, 1): the same on every node, evenly spread, independent for each salt."""
    return (xxhash.xxh3_64_intdigest(f"{salt}\0{key}".encode()) >> 11) / 2.0**53


def rank_by_weight(regions: Sequence[RegionFacts], weights: Mapping[str, int], client: str) -> tuple[RankedRegion, ...]:
    """Each client by its own order, in which a region is first for its share of all clients.

    Weighted rendezvous hashing (Schindelhauer and Schomaker 2005): who was elsewhere stays there when a region goes,
    and exactly those who left come back with it. Regions of weight 0 come last, by priority.
    """
    ranked = []
    for region in regions:
        weight = weights.get(region.id, 0)
        if weight:
            score = -math.log(1.0 - place_of(client, region.id)) / weight
            ranked.append((score, region, RankedRegion(region.id, float(weight), reasons.WEIGHTED_SHARE)))
        else:
            ranked.append((math.inf, region, RankedRegion(region.id, 0.0, reasons.WEIGHT_ZERO)))
    ranked.sort(key=lambda entry: (entry[0], entry[1].priority, entry[1].id))
    return tuple(entry[2] for entry in ranked)


def rank_by_compliance(regions: Sequence[RegionFacts], zones: frozenset[str] | None) -> tuple[RankedRegion, ...]:
    """Regions of the client's own zones first, then the others, each by priority. `zones` is None where unknown."""
    ordered = sorted(regions, key=lambda region: (region.priority, region.id))
    if not zones:
        return tuple(RankedRegion(region.id, None, reasons.ZONE_UNKNOWN) for region in ordered)
    own = [RankedRegion(each.id, 0.0, reasons.CLIENTS_ZONE) for each in ordered if each.zones & zones]
    other = [RankedRegion(each.id, 1.0, reasons.OTHER_ZONE) for each in ordered if not each.zones & zones]
    return (*own, *other)


@dataclass(frozen=True, slots=True)
class Criteria:
    """What counts how much for `multi_criteria`."""

    latency: float
    user_location: float
    capacity: float
    cost: float
    user_preference: float


def rank_by_criteria(  # noqa: PLR0917 - the criteria
    regions: Sequence[RegionFacts],
    criteria: Criteria,
    rtts: Mapping[str, float],
    origin: Point | None,
    free: Mapping[str, float],
    wish: str | None,
) -> tuple[RankedRegion, ...]:
    """By a weighted sum of what each criterion says, normalised to 0 (best) to 1 (worst); lower is better.

    `rtts` are settled ones (`settled_rtts`), or two regions that are alike would change places with every probe.
    `free` is the share of each region that can still take traffic. What is not known of a region counts as the worst.
    """
    latency = _normalised({region.id: rtts.get(region.id) for region in regions})
    distance = _normalised(
        {region.id: distance_km(origin, region.location) if origin and region.location else None for region in regions}
    )
    cost = _normalised({region.id: region.cost for region in regions})
    total = (
        criteria.latency + criteria.user_location + criteria.capacity + criteria.cost + criteria.user_preference
    ) or 1.0
    ranked = []
    for region in regions:
        name = region.id
        score = (
            criteria.latency * latency[name]
            + criteria.user_location * distance[name]
            + criteria.capacity * (1.0 - free.get(name, 0.0))
            + criteria.cost * cost[name]
            + criteria.user_preference * (0.0 if wish == name else 1.0)
        ) / total
        ranked.append((round(score, 4), region, RankedRegion(name, round(score, 4), reasons.BEST_SCORE)))
    ranked.sort(key=lambda entry: (entry[0], entry[1].priority, entry[1].id))
    return tuple(entry[2] for entry in ranked)


def _normalised(measured: Mapping[str, float | None]) -> dict[str, float]:
    """As shares of the largest; all alike where nothing is known."""
    largest = max((value for value in measured.values() if value is not None), default=0.0)
    if not largest:
        return dict.fromkeys(measured, 0.0)
    return {name: 1.0 if value is None else value / largest for name, value in measured.items()}
