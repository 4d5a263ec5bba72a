"""Who counts: the table, the shared store, or this node's share while the store is away."""

from __future__ import annotations

import json

from config.models.shaping import RateLimit
from gateway.admission.counters import Counters
from gateway.admission.table import Table
from gateway.core.gcra import Quota, Taken
from gateway.core.limits import LimitPlan, limit_plans


def plan(**fields: object) -> LimitPlan:
    text = json.dumps({"key": ["ip"], "rate": "10/s", "burst": 8, **fields})
    return limit_plans("r", [RateLimit.model_validate_json(text)])[0]


class Store:
    """One that gives whatever is asked."""

    nodes = 4

    def __init__(self) -> None:
        self.is_up = True
        self.noted = 0
        self.owed = 0.0
        self.has_room = True

    def take(self, key: bytes, of: Quota, now: float, max_wait_s: float, *, spend: bool) -> Taken | None:
        return Taken(0.0, now) if self.has_room else None

    def owed_until(self, key: bytes) -> float:
        return self.owed

    def note(self, key: bytes, of: Quota, now: float) -> None:
        self.noted += 1


def admitted(counters: Counters, limit: LimitPlan) -> int:
    return sum(counters.take(limit, b"k", 5.0, 0.0).wait_s == 0.0 for _ in range(20))


def test_without_its_store_a_wide_limit_is_this_nodes_share() -> None:
    counters, store = Counters(Table(), workers=1), Store()
    counters.stores["global"] = store
    wide = plan(scope="global")
    assert admitted(counters, wide) == 20
    store.is_up = False
    assert admitted(counters, wide) == 2
    assert store.noted == 2, "what was admitted without it will be charged"
    store.owed = 5.4
    fresh = Counters(Table(), workers=1)
    fresh.stores["global"] = store
    assert admitted(fresh, wide) == 1, "its share of what was left when the store was last heard"
    assert admitted(Counters(Table(), workers=1), wide) == 8, "a node that shares with nobody has the whole"
    alone = Counters(Table(), workers=1)
    alone.sharers["global"] = 2
    assert admitted(alone, wide) == 4, "without any store a node has its share all the same"
    assert admitted(Counters(Table(), workers=1), plan()) == 8


def test_a_key_too_many_is_counted_by_this_nodes_share_and_owed_to_nobody() -> None:
    counters, store = Counters(Table(), workers=1), Store()
    counters.stores["global"] = store
    store.has_room = False
    assert admitted(counters, plan(scope="global")) == 2
    assert store.noted == 0


def test_the_places_in_line_are_divided_among_workers() -> None:
    counters, limit = Counters(Table(), workers=2), plan(max_queue=4)
    counters.begin_wait(limit)
    assert not counters.is_full(limit)
    counters.begin_wait(limit)
    assert counters.is_full(limit)
    counters.end_wait(limit)
    counters.end_wait(limit)
    assert not counters.is_full(limit)
