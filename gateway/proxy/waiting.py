"""How does a request wait for a place at its service, or for a connection?

    begin ── there is room to wait ──> its turn comes: `on_turn`
      │                            └─> its time is up: `give_up`, 503
      └─ too many wait ──────────────> `give_up`, 503

The queue is the service's (gateway/core/bulkhead.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway.core.bulkhead import Bulkhead
from gateway.core.crowding import no_room, no_turn
from gateway.core.plans import ServicePlan
from gateway.core.problems import Answer
from gateway.proxy.roles import Waiter


class Waits(Protocol):
    """The exchange that has to wait."""

    def on_turn(self) -> None:
        """There is a place for it, and a connection to be had."""

    def give_up(self, answer: Answer) -> None: ...


class Waiting:
    """One request's, who may wait more than once: for a place, and later for a connection."""

    __slots__ = ("_bulkhead", "_now", "_service", "_since", "_whose", "waited_s")

    def __init__(
        self, whose: Waits, bulkhead: Bulkhead[Waiter], service: ServicePlan, *, now: Callable[[], float]
    ) -> None:
        self._whose = whose
        self._bulkhead = bulkhead
        self._service = service
        self._now = now
        self._since: float | None = None
        """None while it does not wait."""
        self.waited_s = 0.0
        """In all."""

    def begin(self, *, has_place: bool) -> None:
        """Get in line, as long as a connection may take to be made. `has_place`: it lacks but the connection."""
        now = self._now()
        if self._bulkhead.wait(self, until=now + self._service.connect_timeout_s, has_place=has_place):
            self._since = now
        else:
            self._whose.give_up(no_room(self._service, self._bulkhead))

    def admit(self) -> None:
        """Its turn has come."""
        self._stop()
        self._whose.on_turn()

    def turn_away(self) -> None:
        """It has waited as long as it may."""
        self._stop()
        self._whose.give_up(no_turn(self._service, self._bulkhead))

    def leave(self) -> None:
        """The request is over, whether it waits or not."""
        if self._since is not None:
            self._bulkhead.leave(self)
            self._stop()

    def _stop(self) -> None:
        if self._since is not None:
            self.waited_s += self._now() - self._since
            self._since = None
