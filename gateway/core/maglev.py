"""Which endpoint does a key belong to, so that keys stay put when endpoints come and go?

A Maglev table (Eisenbud et al., 2016): 65,537 places, dealt out so that each endpoint holds its weight's share of them.
The table is made of all endpoints that are configured, whoever may serve now: a key whose endpoint is out goes on to
further places of its own, and comes home when its endpoint does; the keys of the others never move.

    key ── xxh64, seed 0 ──> place ──> endpoint, if it may serve ── else ── seed 1, 2, … ──> …
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Final

import xxhash

SIZE: Final = 65_537
"""Prime, as the permutations need."""
MAX_SEEDS: Final = 64
"""Places a key is looked for: with half of all endpoints out, all 64 miss once in 10^19 keys."""


def table_of(names: Sequence[str], weights: Sequence[float]) -> array[int]:
    """The index of an endpoint for every place. Weights are above 0; the heaviest takes a place each round."""
    count = len(names)
    table = array("i", [-1]) * SIZE
    if count == 1:
        return array("i", [0]) * SIZE
    offsets = [xxhash.xxh64_intdigest(name.encode(), 1) % SIZE for name in names]
    skips = [xxhash.xxh64_intdigest(name.encode(), 2) % (SIZE - 1) + 1 for name in names]
    heaviest = max(weights)
    steps = [weight / heaviest for weight in weights]
    due = [0.0] * count
    filled = 0
    while True:
        for index in range(count):
            due[index] += steps[index]
            if due[index] < 1.0:
                continue
            due[index] -= 1.0
            place, skip = offsets[index], skips[index]
            while table[place] >= 0:
                place += skip
                if place >= SIZE:
                    place -= SIZE
            table[place] = index
            offsets[index] = (place + skip) % SIZE
            filled += 1
            if filled == SIZE:
                return table


def places(key: bytes) -> Iterator[int]:
    """Where to look for the key's endpoint, in order."""
    for seed in range(MAX_SEEDS):
        yield xxhash.xxh64_intdigest(key, seed) % SIZE


def share_of(key: bytes, name: str) -> float:
    """A number from 0 to 1 of this key at this endpoint: below a share, the key belongs to that share of all keys."""
    return xxhash.xxh64_intdigest(key + name.encode(), 3) / 2.0**64
