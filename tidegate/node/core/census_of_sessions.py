"""How many sessions stick to an endpoint? What the data planes saw, put together: each session once, where it was last.

A session counts as long as its cookie lives after its last request. Up to `MAX_SESSIONS` are known one by one; beyond,
one in 2**level stands for all (gateway/core/sessions.py), right within a percent or so. It is this node's view: a
client that came by two nodes counts at both.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from config.models import Config

MAX_SESSIONS: Final = 32_768
"""Some 10 MiB at most."""
UNTIL_CLOSED_S: Final = 3600.0
"""A cookie without an age lives as long as a browser is open, which nobody tells: so long after its last request."""


def cookie_ages(config: Config) -> dict[str, float | None]:
    """Of the services whose sessions stick, in seconds."""
    found = ((service.id, service.sticky_session) for service in config.services)
    return {name: sticky.attributes.max_age for name, sticky in found if sticky is not None}


class CensusOfSessions:
    """One node's."""

    def __init__(
        self, ages: Mapping[str, float | None] = MappingProxyType({}), *, max_sessions: int = MAX_SESSIONS
    ) -> None:
        """`ages`: see `adopt`."""
        self._max_sessions = max_sessions
        self._level = 0
        self._ages: dict[str, float] = {}
        self._seen: dict[str, OrderedDict[int, tuple[str, float]]] = {}
        """By service: session -> endpoint id and when; the longest silent first."""
        self._by_endpoint: Counter[str] = Counter()
        self._size = 0
        self.adopt(ages)

    def adopt(self, ages: Mapping[str, float | None]) -> None:
        """The services whose sessions stick, and how long their cookies live, in seconds."""
        self._ages = {service: UNTIL_CLOSED_S if age is None else age for service, age in ages.items()}
        for service in [name for name in self._seen if name not in self._ages]:
            for number in list(self._seen[service]):
                self._drop(service, number)
            del self._seen[service]

    def add(self, level: int, seen: Mapping[str, Collection[int]], *, now: float) -> None:
        """A data plane's sample: sessions by endpoint id."""
        if level > self._level:
            self._sample(level)
        mask = (1 << self._level) - 1
        for endpoint, numbers in seen.items():
            service = endpoint.partition("/")[0]
            if service not in self._ages:
                continue
            sessions = self._seen.setdefault(service, OrderedDict())
            for number in numbers:
                if number & mask:
                    continue
                self._drop(service, number)
                sessions[number] = (endpoint, now)
                self._by_endpoint[endpoint] += 1
                self._size += 1
        self._expire(now)
        while self._size > self._max_sessions:
            self._sample(self._level + 1)

    def count(self, endpoints: Collection[str], *, now: float) -> int | None:
        """Sessions at these endpoints; None where none of them has sessions that stick."""
        sticking = [endpoint for endpoint in endpoints if endpoint.partition("/")[0] in self._ages]
        if not sticking:
            return None
        self._expire(now)
        return sum(self._by_endpoint[endpoint] for endpoint in sticking) << self._level

    def _expire(self, now: float) -> None:
        for service, sessions in self._seen.items():
            age = self._ages[service]
            while sessions and now - next(iter(sessions.values()))[1] > age:
                self._drop(service, next(iter(sessions)))
        if not self._size:
            self._level = 0

    def _sample(self, level: int) -> None:
        self._level = level
        mask = (1 << level) - 1
        for service, sessions in self._seen.items():
            for number in [each for each in sessions if each & mask]:
                self._drop(service, number)

    def _drop(self, service: str, number: int) -> None:
        found = self._seen[service].pop(number, None)
        if found is not None:
            self._by_endpoint[found[0]] -= 1
            if not self._by_endpoint[found[0]]:
                del self._by_endpoint[found[0]]
            self._size -= 1
