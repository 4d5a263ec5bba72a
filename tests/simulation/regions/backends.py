"""What stands behind the gateways, and what did each server get to do? The truth by which routing is judged.

A server answers, refuses connections, hangs (when it is done), fails, or is slow; it writes down what it executes, for
whom, and when.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from health.core.probe import Outcome, ProbeTarget
from tests.harness.lives import Life
from tests.simulation.regions.wire import Unanswered, Wire

Mood = Literal["well", "refuses", "hangs", "fails", "slow"]
SLOW_S = 0.4


@dataclass(frozen=True)
class Executed:
    """One request that a server carried out."""

    token: str
    endpoint: str
    gateway: str
    """Region of the node that sent it."""
    at: float
    applied: Mapping[str, int] = field(default_factory=dict)
    """What its region's store had applied of the data that the service reads."""


@dataclass
class Server:
    """One endpoint."""

    endpoint: str
    region: str
    mood: Mood = "well"

    async def answer(self, token: str, gateway: str, backends: Backends) -> int:
        """A status; no answer at all when it hangs."""
        if self.mood == "slow":
            await asyncio.sleep(SLOW_S)
        if self.mood == "fails":
            return 503
        at, applied = asyncio.get_running_loop().time(), backends.applied(self.endpoint)
        backends.executed.append(Executed(token, self.endpoint, gateway, at, applied))
        if self.mood == "hangs":
            await asyncio.Event().wait()
        return 200


@dataclass
class Backends:
    """All servers of all regions."""

    servers: dict[str, Server] = field(default_factory=dict)
    """By endpoint id."""
    executed: list[Executed] = field(default_factory=list)
    applied: Callable[[str], Mapping[str, int]] = lambda endpoint: {}
    """What a server reads when it answers, as a vector; empty where it reads no data."""


class WiredProbe:
    """One probe of one endpoint, from a node of `source`."""

    def __init__(  # noqa: PLR0917 - what a probe is made of
        self,
        wire: Wire,
        life: Life,
        source: str,
        server: Server,
        target: ProbeTarget,
        on_end: Callable[[Outcome], None],
    ) -> None:
        self._wire = wire
        self._life = life
        self._source = source
        self._server = server
        self._timeout_s = target.settings.attempt_timeout_s
        self._on_end = on_end
        self._is_over = False

    def start(self) -> None:
        self._life.spawn(self._ask(), name=f"probe of {self._server.endpoint}")

    def expire(self) -> Outcome:
        self._is_over = True
        return Outcome(passed=False, reason=f"no answer in {self._timeout_s:g}s")

    def abandon(self) -> None:
        self._is_over = True

    async def _ask(self) -> None:
        loop, server = asyncio.get_running_loop(), self._server
        began = loop.time()
        try:
            await self._wire.reach(self._source, server.region, timeout_s=self._timeout_s)
        except Unanswered:
            return  # its time is up: the prober notices
        if server.mood == "hangs":
            return
        if server.mood == "slow":
            await asyncio.sleep(SLOW_S)
        if self._is_over:
            return
        if server.mood == "refuses":
            self._on_end(Outcome(passed=False, reason="connection refused"))
        elif server.mood == "fails":
            self._on_end(Outcome(passed=False, reason="http 503"))
        else:
            self._on_end(Outcome(passed=True, reason="http 200", rtt_s=loop.time() - began))
