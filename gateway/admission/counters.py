"""Who counts this key? The node's table, or tokens leased from a store that nodes share.

scope node             the table (table.py): exact across the node's workers
scope region, global   leased tokens (leases.py); while their store is away, this node's share, in the table
"""

from __future__ import annotations

from typing import Final, Protocol

from gateway.admission.table import Table
from gateway.core.gcra import Quota, Taken, share
from gateway.core.limits import LimitPlan

MAX_SHARES: Final = 1000
"""Quotas of one configuration, and of those before it."""


class Leased(Protocol):
    """Tokens from a shared store (leases.py)."""

    nodes: int
    """How many nodes count together, this one among them."""

    is_up: bool

    def take(self, key: bytes, of: Quota, now: float, max_wait_s: float, *, spend: bool) -> Taken | None:
        """None where it has no room for another key."""

    def owed_until(self, key: bytes) -> float:
        """When its bucket is full again, as far as is known of all nodes."""

    def note(self, key: bytes, of: Quota, now: float) -> None:
        """One was admitted without it."""


class Counters:
    """One data plane's."""

    def __init__(self, table: Table, *, workers: int) -> None:
        self.table = table
        self.stores: dict[str, Leased] = {}
        """By scope."""
        self.sharers: dict[str, int] = {}
        """By scope: how many nodes have a part in a limit, whether or not there is a store in which they count."""
        self._workers = workers
        self._shares: dict[tuple[Quota, int], Quota] = {}
        self._waiting: dict[str, int] = {}

    def take(self, plan: LimitPlan, key: bytes, now: float, max_wait_s: float, *, spend: bool = True) -> Taken:
        if plan.scope == "node":
            return self.table.take(key, plan.quota, now, max_wait_s, spend=spend)
        store = self.stores.get(plan.scope)
        if store is None:
            part = self._share(plan.quota, self.sharers.get(plan.scope, 1))
            return self.table.take(key, part, now, max_wait_s, spend=spend)
        if store.is_up:
            taken = store.take(key, plan.quota, now, max_wait_s, spend=spend)
            if taken is not None:
                return taken
        part, owed_until = self._share(plan.quota, store.nodes), store.owed_until(key)
        taken = self.table.take(key, part, now, max_wait_s, spend=spend, owed_until=owed_until)
        if spend and taken.wait_s <= max_wait_s and not store.is_up:
            store.note(key, plan.quota, now)
        return taken

    def _share(self, whole: Quota, nodes: int) -> Quota:
        part = self._shares.get((whole, nodes))
        if part is None:
            if len(self._shares) >= MAX_SHARES:
                self._shares.clear()
            part = self._shares[whole, nodes] = share(whole, nodes)
        return part

    # -- who waits

    def is_full(self, plan: LimitPlan) -> bool:
        """Whether as many wait already as may, on this worker's part."""
        return self._waiting.get(plan.id, 0) >= max(1, plan.max_queue // self._workers)

    def begin_wait(self, plan: LimitPlan) -> None:
        self._waiting[plan.id] = self._waiting.get(plan.id, 0) + 1

    def end_wait(self, plan: LimitPlan) -> None:
        left = self._waiting.get(plan.id, 0) - 1
        if left > 0:
            self._waiting[plan.id] = left
        else:
            self._waiting.pop(plan.id, None)
