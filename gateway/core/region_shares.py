"""How much of a region's capacity may this node use, when nodes of all regions send there?

    each node  ──what it would send to each region, each second──>  all nodes (soft rows)  ──> its part ──> its workers

    all together within the capacity    what it sends now, and an equal part of what is left
    over it                             by what each would send; a twentieth is kept for equal parts, to begin with

Nodes that hear the same have parts that add up to the whole: nobody is asked, and nothing is agreed on. A node that
hears no other cannot tell whether it is alone: it keeps to an equal part among all nodes that the configuration names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from config.models import Config

KEPT: Final = 0.05
"""Of a capacity that is used up: what a node has that sent nothing so far, so that its demand can show."""


def part_of(node: str, demands: Mapping[str, float], capacity: float) -> float:
    """Of the capacity, 0 to 1. `demands` has the requests a second that each node would send, this one among them."""
    own, whole, nodes = demands[node], sum(demands.values()), len(demands)
    if whole <= capacity:
        return (own + (capacity - whole) / nodes) / capacity
    return KEPT / nodes + (1.0 - KEPT) * own / whole


def equal_part(config: Config) -> float:
    """As long as nobody is heard: among the nodes that the configuration names, in all regions."""
    return 1.0 / max(1, sum(len(region.peers) for region in config.regions))


def capacities(config: Config, parts: Mapping[str, float], *, workers: int) -> dict[str, float]:
    """By region: requests a second that one of this node's `workers` may send there."""
    otherwise = equal_part(config)
    return {
        region.id: region.capacity * parts.get(region.id, otherwise) / workers
        for region in config.regions
        if region.capacity is not None
    }
