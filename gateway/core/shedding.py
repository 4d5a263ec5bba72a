"""Is there room for this request? Three pressures, three ranks; who matters least is turned away first.

                      batch    interactive   critical
    requests at once   75 %         90 %        100 %   of `max_requests`: by the count at that moment
    event-loop delay   1 x          2 x           5 x   `target_delay`: smoothed
    memory             at          +2/5          +4/5   from `memory` towards all of it

A level that delay or memory has raised falls one step at a time, and only after a second well below (80 %) of what
raised it: shedding itself takes the pressure away, and must not swing with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.core import reasons
from gateway.core.problems import Answer

RANKS: Final = {"batch": 0, "interactive": 1, "critical": 2}
NAMES: Final = ("batch", "interactive", "critical")
IN_FLIGHT: Final[tuple[float, ...]] = (0.75, 0.9, 1.0)
DELAY: Final[tuple[float, ...]] = (1.0, 2.0, 5.0)
MEMORY: Final[tuple[float, ...]] = (0.0, 0.4, 0.8)
RELAXED: Final = 0.8
HOLD_S: Final = 1.0
SMOOTHING: Final = 0.2
"""Weight of the newest delay: one hiccup of a hundred milliseconds weighs twenty."""
RETRY_AFTER_S: Final = (10, 5, 2)
"""The least important come back last."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Of one data plane."""

    max_requests: int
    target_delay_s: float
    memory: float


class Shedding:
    """A ledger: told of pressures now and then, asked for every request."""

    def __init__(self, targets: Targets, *, now: float) -> None:
        self.targets = targets
        self.level = 0
        """How many ranks are turned away whatever the count of requests; 0 to 3."""
        self.cause = ""
        self.delay_s = 0.0
        self._caps = tuple(max(1, int(targets.max_requests * part)) for part in IN_FLIGHT)
        self._below_since = now

    def observe(self, *, delay_s: float, memory: float | None, now: float) -> None:
        """A turn of the loop came `delay_s` late; `memory` is the share in use, None where it is not known."""
        self.delay_s += (delay_s - self.delay_s) * SMOOTHING
        level, cause = self._level(1.0, memory)
        if level >= self.level:
            if level > self.level:
                self.level, self.cause = level, cause
            self._below_since = now
            return
        if self._level(RELAXED, memory)[0] >= self.level:
            self._below_since = now
        elif now - self._below_since >= HOLD_S:
            self.level -= 1
            self._below_since = now

    def _level(self, relaxed: float, memory: float | None) -> tuple[int, str]:
        targets = self.targets
        by_delay = sum(self.delay_s >= targets.target_delay_s * step * relaxed for step in DELAY)
        by_memory = 0
        if memory is not None:
            room = 1.0 - targets.memory
            by_memory = sum(memory >= (targets.memory + room * step) * (1 - (1 - relaxed) / 4) for step in MEMORY)
        if by_memory > by_delay:
            return by_memory, "memory"
        return by_delay, "event-loop delay"

    def refuses(self, rank: int, in_flight: int) -> Answer | None:
        """503 for a request of this rank, while so many others are under way; None when it may go on."""
        if rank < self.level:
            return _SHED[rank][self.cause]
        if in_flight >= self._caps[rank]:
            return _SHED[rank]["requests in flight"]
        return None


def _answer(rank: int, cause: str) -> Answer:
    return Answer(
        status=503,
        reason=reasons.SHED,
        detail=f"too much to do: {NAMES[rank]} requests are turned away for now, by {cause}",
        proxy_status="destination_unavailable",
        retry_after_s=RETRY_AFTER_S[rank],
    )


_SHED: Final = tuple(
    {cause: _answer(rank, cause) for cause in ("event-loop delay", "memory", "requests in flight")} for rank in range(3)
)
"""Made once: turning away costs next to nothing."""
