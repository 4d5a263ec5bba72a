"""The access log of one data plane: a JSON line for each request that has ended, with the time of day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from gateway.proxy.outcome import Outcome, access_line


class AccessLog:
    """Writes lines in the order in which requests end."""

    def __init__(
        self, write: Callable[[bytes], None], *, node_id: str, now: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        """`write` takes one line; `now` is monotonic, as outcomes are, `wall` is Unix time; both in seconds."""
        self._write = write
        self._node_id = node_id
        self._now = now
        self._wall = wall
        self._second = -1
        self._stamp = ""
        """Of that second: most lines share theirs with the one before."""

    def add(self, outcome: Outcome) -> None:
        """A request has ended just now."""
        duration_s = self._now() - outcome.started_at
        self._write(access_line(outcome, node_id=self._node_id, stamp=self._time_stamp(), duration_s=duration_s))

    def _time_stamp(self) -> str:
        wall = self._wall()
        second = int(wall)
        if second != self._second:
            self._second = second
            self._stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._stamp}.{int((wall - second) * 1000):03d}Z"
