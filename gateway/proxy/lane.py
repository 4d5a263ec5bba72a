"""What all requests to one service share on this data plane: places, who waits for one, the retry budget, durations.

    exchange ── enter ──> goes at once
       └─ wait ──> a place or a connection comes free ──> from the loop's next turn: `admit`, one after the other
                   its time is up ───────────────────────────────────────────> `turn_away`

Nothing here costs a request that need not wait more than a few comparisons. Those that wait are let in from the loop
and not from whoever has just ended, or a thousand that fail one after the other would be a thousand frames deep.

Places and connections are the node's, and its workers share them: where this one has none left, it asks for what the
others do not use (gateway/core/sharing.py). A limit that is learnt is learnt by each worker within an equal share.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.core.bulkhead import Bulkhead
from gateway.core.durations import Durations
from gateway.core.gradient import Gradient
from gateway.core.plans import ServicePlan
from gateway.core.policies import part
from gateway.core.retries import RetryBudget
from gateway.core.sharing import Part
from gateway.messages import ServiceCount
from gateway.places import FINDING_S, Places, RowsBusy
from gateway.proxy.openings import Openings
from gateway.proxy.roles import Waiter


def part_of(places: Places, name: str, within_s: float) -> Part | None:
    """This worker's of what is shared under the name; None where there is no room for it. Raises `RowsBusy`."""
    row = places.row(name, within_s=within_s)
    return None if row is None else Part(row)


class Lane:
    """One service's."""

    __slots__ = (
        "_call_soon",
        "_connections",
        "_is_woken",
        "_make_room",
        "_places",
        "_requests",
        "_told",
        "_unshared",
        "_usual_limit",
        "budget",
        "bulkhead",
        "durations",
        "gradient",
        "openings",
    )

    def __init__(
        self,
        bulkhead: Bulkhead[Waiter],
        *,
        call_soon: Callable[[Callable[[], None]], object],
        now: float,
        places: Places | None = None,
        make_room: Callable[[], None] = lambda: None,
    ) -> None:
        """`places`: where workers share what the service may be asked; `make_room` closes an idle connection."""
        self._call_soon = call_soon
        self._places = places
        self._make_room = make_room
        self._requests: Part | None = None
        """Of the requests at a time, where they are shared."""
        self._connections: Part | None = None
        """Of the connections."""
        self._unshared: ServicePlan | None = None
        """Whose places could not be looked for yet: until then it goes on with an equal share."""
        self._usual_limit = bulkhead.limit
        self._is_woken = False
        self._told = (0, 0)
        self.bulkhead = bulkhead
        self.openings = Openings(bulkhead, call_soon=call_soon, freed=self.freed)
        self.budget = RetryBudget(now=now)
        self.durations = Durations()
        self.gradient: Gradient | None = None
        """Where the limit is learnt."""

    def adopt(self, service: ServicePlan, *, workers: int, now: float) -> None:
        """Its limits, new or changed; what was learnt stays, within them."""
        bulkhead, policies = self.bulkhead, service.policies
        bulkhead.max_pending = policies.max_pending
        self._usual_limit = bulkhead.limit = equal = part(policies.max_requests, workers)
        bulkhead.max_connections = part(service.max_connections, workers)
        if policies.adaptive:
            if self.gradient is None:
                self.gradient = Gradient(highest=equal, now=now)
            self.gradient.highest = equal
            bulkhead.limit = min(equal, int(self.gradient.limit))
        else:
            self.gradient = None
        self._share(service)
        self.freed()

    def _share(self, service: ServicePlan, *, within_s: float = FINDING_S) -> None:
        """Take part in what is shared, or no longer."""
        places, policies, bulkhead = self._places, service.policies, self.bulkhead
        self._unshared = None
        if places is None or service.is_data:
            return
        if policies.adaptive and self._requests is not None:
            self._requests.leave()
            self._requests = None
        try:
            if not policies.adaptive:
                self._requests = self._requests or part_of(places, f"requests of {service.id}", within_s)
            self._connections = self._connections or part_of(places, f"connections of {service.id}", within_s)
        except RowsBusy:
            self._unshared = service
        if self._requests is not None:
            self._requests.adopt(policies.max_requests)
            bulkhead.limit = self._requests.usable
        if self._connections is not None:
            self._connections.adopt(service.max_connections)
            bulkhead.max_connections = self._connections.usable

    def enter(self) -> bool:
        """Take a place, if there is one and nobody waits for it."""
        return self.bulkhead.enter() or (self._borrow() and self.bulkhead.enter())

    def is_crowded(self) -> bool:
        """Whether an idle connection has to go before another is opened."""
        bulkhead, connections = self.bulkhead, self._connections
        if not bulkhead.is_crowded():
            return False
        if connections is None or not connections.grow(1):
            return True
        bulkhead.max_connections = connections.usable
        return False

    def _borrow(self) -> bool:
        """Whether more may go now than before."""
        bulkhead, before = self.bulkhead, (self.bulkhead.limit, self.bulkhead.max_connections)
        need = bulkhead.pending or 1
        if self._requests is not None and bulkhead.active >= bulkhead.limit and self._requests.grow(need):
            bulkhead.limit = self._requests.usable
        if self._connections is not None and not bulkhead.may_connect() and self._connections.grow(need):
            bulkhead.max_connections = self._connections.usable
        if (bulkhead.limit, bulkhead.max_connections) == before:
            return False
        self.freed()
        return True

    def freed(self) -> None:
        """A place or a connection may be free."""
        if self.bulkhead.pending and not self._is_woken:
            self._is_woken = True
            self._call_soon(self._admit)

    def release(self) -> None:
        """A request has ended."""
        self.bulkhead.release()
        self.freed()

    def opened(self) -> None:
        """A connection is there and counted, or will not be."""
        self.bulkhead.opening -= 1
        self.freed()

    def took(self, took_s: float, now: float) -> None:
        """An answer's time, where the limit is learnt."""
        gradient, bulkhead = self.gradient, self.bulkhead
        if gradient is not None and gradient.add(took_s, bulkhead.active, now):
            before, bulkhead.limit = bulkhead.limit, int(gradient.limit)
            if bulkhead.limit > before:
                self.freed()

    def look(self, now: float) -> None:
        """Time has passed."""
        if self.bulkhead.pending:
            for who in self.bulkhead.overdue(now):
                who.turn_away()
        if self._unshared is not None:
            self._share(self._unshared, within_s=0.0)
        # What was had just now is used in the loop's next turn, and not given back before.
        if self._connections is not None and not (self.bulkhead.pending and self._borrow()):
            self._settle(self._connections)

    def _settle(self, connections: Part) -> None:
        """Tell the other workers what is lacking here, and give what they lack."""
        bulkhead, requests = self.bulkhead, self._requests
        pending = bulkhead.pending
        if requests is not None:
            active = bulkhead.active
            requests.settle(used=active, busy=active, lack=pending if active >= bulkhead.limit else 0)
            bulkhead.limit = requests.usable
        busy = bulkhead.in_use + bulkhead.opening
        lack = pending if busy >= bulkhead.max_connections else 0
        connections.settle(used=busy + bulkhead.idle, busy=busy, lack=lack)
        bulkhead.max_connections = connections.usable
        for _ in range(min(bulkhead.idle, busy + bulkhead.idle - connections.usable)):
            self._make_room()
        self.freed()

    def leave(self) -> None:
        """The service is no more."""
        self._unshared = None
        for shared in (self._requests, self._connections):
            if shared is not None:
                shared.leave()

    @property
    def has_news(self) -> bool:
        """Whether there is something to report."""
        return bool(self.bulkhead.active or self.bulkhead.pending or self._told != self._totals or self.gradient)

    def take(self, service: str) -> ServiceCount:
        """What was counted since the last call, and how it stands now."""
        bulkhead, before = self.bulkhead, self._told
        self._told = self._totals
        return ServiceCount(
            service=service,
            active=bulkhead.active,
            pending=bulkhead.pending,
            limit=bulkhead.limit if self._requests is None else self._usual_limit,
            waited=self._told[0] - before[0],
            overflowed=self._told[1] - before[1],
        )

    @property
    def _totals(self) -> tuple[int, int]:
        return self.bulkhead.waited, self.bulkhead.overflowed

    @property
    def is_idle(self) -> bool:
        """Nothing hangs on it: what it counts may be forgotten."""
        bulkhead = self.bulkhead
        return not (bulkhead.active or bulkhead.in_use or bulkhead.idle or bulkhead.opening or bulkhead.pending)

    def _admit(self) -> None:
        self._is_woken = False
        while (who := self.bulkhead.next()) is not None:
            who.admit()
