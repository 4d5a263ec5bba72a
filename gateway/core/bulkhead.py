"""May one more request go to this service now, is it to wait, or is there no room even for that?

    enter ── a place free, a connection to be had, nobody waiting before it ──> it goes
      └─ wait ── fewer than `max_pending` wait ──> first come, first served; until its client leaves or its time is up
           └─ overflow ──> 503

A place is held from the first attempt to the answer's end, whatever retries and hedges come in between; a tunnel gives
its place back, for it is counted among streams. Connections are counted on their own, those being opened too: a burst
opens no more than it may. Whoever has a place and lacks a connection goes before those without a place.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

W = TypeVar("W")


class Bulkhead(Generic[W]):
    """One service's, on one data plane. `W` is whoever waits; each at most once."""

    __slots__ = (
        "_returning",
        "_waiting",
        "active",
        "idle",
        "in_use",
        "limit",
        "max_connections",
        "max_pending",
        "opening",
        "overflowed",
        "waited",
    )

    def __init__(self, *, limit: int = 1 << 30, max_connections: int = 1 << 30, max_pending: int = 1024) -> None:
        self.limit = limit
        """Requests at a time; written by whoever learns it."""
        self.max_connections = max_connections
        self.max_pending = max_pending
        self.active = 0
        """Requests that have a place."""
        self.in_use = 0
        """Connections that are open and not idle; counted by the pool, like the next two."""
        self.idle = 0
        self.opening = 0
        self.waited = 0
        """Requests that ever had to wait."""
        self.overflowed = 0
        """Requests that there was no room for, or whose time was up."""
        self._waiting: OrderedDict[W, float] = OrderedDict()
        self._returning: OrderedDict[W, float] = OrderedDict()

    @property
    def pending(self) -> int:
        """How many wait."""
        return len(self._waiting) + len(self._returning)

    def may_connect(self) -> bool:
        """Whether one more connection may be taken or opened."""
        return self.in_use + self.opening < self.max_connections

    def is_crowded(self) -> bool:
        """Whether an idle connection has to go before another is opened."""
        return self.idle > 0 and self.in_use + self.opening + self.idle >= self.max_connections

    def enter(self) -> bool:
        """Take a place, if there is one and nobody waits for it."""
        if self.active >= self.limit or self.in_use + self.opening >= self.max_connections:
            return False
        if self._waiting or self._returning:
            return False
        self.active += 1
        return True

    def wait(self, who: W, *, until: float, has_place: bool) -> bool:
        """Wait for a place, or with one for a connection; False when too many do. Monotonic seconds."""
        if has_place:
            self._returning[who] = until
        elif len(self._waiting) >= self.max_pending:
            self.overflowed += 1
            return False
        else:
            self._waiting[who] = until
        self.waited += 1
        return True

    def leave(self, who: W) -> None:
        """It waits no longer."""
        if self._waiting.pop(who, None) is None:
            self._returning.pop(who, None)

    def release(self) -> None:
        """Give a place back."""
        self.active -= 1

    def next(self) -> W | None:
        """Whose turn it is; it has a place then. None while nobody waits, or nothing is free."""
        if not self.may_connect():
            return None
        if self._returning:
            return self._returning.popitem(last=False)[0]
        if self._waiting and self.active < self.limit:
            self.active += 1
            return self._waiting.popitem(last=False)[0]
        return None

    def overdue(self, now: float) -> list[W]:
        """Take out whose time is up; those with a place still have it."""
        late = [who for queue in (self._returning, self._waiting) for who, until in queue.items() if until <= now]
        for who in late:
            self.leave(who)
        self.overflowed += len(late)
        return late
