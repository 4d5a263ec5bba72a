"""Which sessions were seen at which endpoint since the last report? A bounded sample that says how much of all it is.

Sessions are cookies: nobody holds them but the clients. Each has a random number, so "those whose last `level` bits are
0" is a fair sample of one in 2**level (adaptive sampling, Wegman; Flajolet 1990). Up to `MAX_SEEN` are told one by one;
whoever collects the reports of all workers (tidegate/node/core/census_of_sessions.py) counts each session once.
"""

from __future__ import annotations

from typing import Final

MAX_SEEN: Final = 4096
"""Of one data plane, between two reports: some 80 KiB of JSON a second at worst."""


class SessionTally:
    """One data plane's."""

    def __init__(self, *, max_seen: int = MAX_SEEN) -> None:
        self._max_seen = max_seen
        self._seen: dict[int, str] = {}
        self._level = 0
        self._counts: dict[tuple[str, str, str], int] = {}

    def count(self, service: str, outcome: str, why: str) -> None:
        """What became of a request's session."""
        key = (service, outcome, why)
        self._counts[key] = self._counts.get(key, 0) + 1

    def seen(self, number: int, endpoint_id: str) -> None:
        """A session is at this endpoint now."""
        if number & ((1 << self._level) - 1):
            return
        self._seen[number] = endpoint_id
        while len(self._seen) > self._max_seen:
            self._level += 1
            mask = (1 << self._level) - 1
            self._seen = {each: where for each, where in self._seen.items() if not each & mask}

    def take(self) -> tuple[int, dict[str, list[int]]]:
        """The level, and sessions by endpoint id; begins anew."""
        found: dict[str, list[int]] = {}
        for number, endpoint_id in self._seen.items():
            found.setdefault(endpoint_id, []).append(number)
        level, self._level, self._seen = self._level, 0, {}
        return level, found

    def take_counts(self) -> dict[tuple[str, str, str], int]:
        """By service, outcome and reason, since the last call."""
        counts, self._counts = self._counts, {}
        return counts
