"""The time that data is stamped by: this machine's clock, kept from jumping by its peers (sync/core/steady.py)."""

from __future__ import annotations

from collections.abc import Callable

from health.election import boot_time
from sync.core.steady import SteadyClock
from tidegate.node.logs import Log
from tidegate.node.wall import wall

SAY_EVERY_S = 60.0


class DataClock:
    """One sync process's."""

    def __init__(
        self,
        *,
        max_skew_s: float,
        log: Log,
        machine: Callable[[], float] = wall,
        now: Callable[[], float] = boot_time,
    ) -> None:
        """`machine` is Unix time as the operating system tells it; `now` goes on while the machine sleeps."""
        self._steady = SteadyClock(max_skew_s=max_skew_s)
        self._max_skew_s = max_skew_s
        self._log = log
        self._machine = machine
        self._now = now
        self._said_at: float | None = None

    def wall(self) -> float:
        """Unix seconds."""
        now = self._now()
        told = self._steady.time(wall=self._machine(), now=now)
        off_s = -self._steady.off_by_s
        is_news = self._said_at is None or now - self._said_at >= SAY_EVERY_S
        if abs(off_s) > self._max_skew_s and is_news:
            self._said_at = now
            self._log.problem("this machine's clock is wrong: data goes by the other regions'", ahead_s=round(off_s, 3))
        return told

    def heard(self, peer: str, clock: float) -> None:
        """What a peer's clock shows."""
        self.wall()
        moved = self._steady.heard(peer, clock, now=self._now())
        if moved is not None:
            self._log.problem(
                "the other regions' clocks differ from this node's: going by theirs", by_s=round(moved, 3)
            )
