"""Is this endpoint up?

    untested --first result--> up | down            one result decides, for it is all there is
    up   --unhealthy_threshold failures in a row--> down
    down --healthy_threshold successes in a row---> up

A verdict's reason is that of the result that brought it about, and stays until the next verdict; what the latest probe
found stands beside it in `last`. An inconclusive result neither counts nor interrupts a row. An untested endpoint may
serve. Verdicts outlive the process: saved as JSON, taken up again unless they have gone stale meanwhile.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from health.core.probe import ProbeResult, ProbeSettings, ProbeTarget

Health = Literal["untested", "up", "down"]

HISTORY_LENGTH = 32
"""Results kept for people to look at: with the default interval, the last two and a half minutes."""

STALE_AFTER_INTERVALS = 10
"""A saved verdict without a probe for so long is forgotten; data planes give up a down verdict at the same age."""


@dataclass(frozen=True, slots=True)
class EndpointVerdict:
    """What is known of one endpoint. Times are wall seconds, for people and for the disk."""

    endpoint: str
    service: str
    region: str
    health: Health
    reason: str
    since: float
    successes: int = 0
    """In a row, up to now; of `successes` and `failures` one is 0."""
    failures: int = 0
    rtt_s: float | None = None
    """Smoothed; None when never measured."""
    last: ProbeResult | None = None


class EndpointLedger:
    """Counts one endpoint's results and says when they change the verdict.

    `settings` may be replaced at any time; thresholds apply from the next result.
    """

    def __init__(self, settings: ProbeSettings, *, now: float) -> None:
        self.settings = settings
        self.health: Health = "untested"
        self.reason = "not probed yet"
        self.since = now
        self.successes = 0
        self.failures = 0
        self.last: ProbeResult | None = None
        self.history: deque[ProbeResult] = deque(maxlen=HISTORY_LENGTH)

    def observe(self, result: ProbeResult, *, now: float) -> bool:
        """Takes one result in; says whether the endpoint's health changed by it."""
        self.last = result
        self.history.append(result)
        if result.passed is None:
            return False
        if result.passed:
            self.successes, self.failures = self.successes + 1, 0
            needed = 1 if self.health == "untested" else self.settings.healthy_threshold
            return self.health != "up" and self.successes >= needed and self._decide("up", result.reason, now=now)
        self.successes, self.failures = 0, self.failures + 1
        needed = 1 if self.health == "untested" else self.settings.unhealthy_threshold
        return self.health != "down" and self.failures >= needed and self._decide("down", result.reason, now=now)

    def forget_counts(self) -> None:
        """For when something else is asked from now on: answers to two questions make no row."""
        self.successes = self.failures = 0

    def resume(self, saved: EndpointVerdict, *, now: float) -> bool:
        """Takes up what an earlier process knew; says whether that changed anything.

        Only an untested endpoint can be told, and only what is not stale. A time in the future, which a wall clock
        that was set back makes of any past, counts as just now.
        """
        probed = saved.since if saved.last is None else saved.last.at
        if self.health != "untested" or now - probed > STALE_AFTER_INTERVALS * self.settings.interval_s:
            return False
        self.health, self.reason, self.since = saved.health, saved.reason, saved.since
        self.successes, self.failures, self.last = saved.successes, saved.failures, saved.last
        return self.health != "untested"

    def verdict(self, target: ProbeTarget, *, rtt_s: float | None) -> EndpointVerdict:
        return EndpointVerdict(
            endpoint=target.endpoint,
            service=target.service,
            region=target.region,
            health=self.health,
            reason=self.reason,
            since=self.since,
            successes=self.successes,
            failures=self.failures,
            rtt_s=rtt_s,
            last=self.last,
        )

    def _decide(self, health: Health, reason: str, *, now: float) -> bool:
        self.health, self.reason, self.since = health, reason, now
        return True


def to_saved(verdicts: Mapping[str, EndpointVerdict]) -> dict[str, object]:
    """Verdicts by endpoint id as plain values, ready for JSON."""
    return {endpoint: msgspec.to_builtins(verdict) for endpoint, verdict in verdicts.items()}


def from_saved(saved: object) -> dict[str, EndpointVerdict]:
    """The reverse of `to_saved`. Raises ValueError for anything else, naming what was found and what was expected."""
    try:
        verdicts = msgspec.convert(saved, dict[str, EndpointVerdict])
    except msgspec.ValidationError as error:
        raise ValueError(f"saved verdicts are not usable: {error}") from None
    for endpoint, verdict in verdicts.items():
        _check(endpoint, verdict)
    return verdicts


def _check(endpoint: str, verdict: EndpointVerdict) -> None:
    if endpoint != verdict.endpoint:
        raise ValueError(f"saved verdict of {verdict.endpoint!r} found under {endpoint!r}, expected under its own name")
    if min(verdict.successes, verdict.failures) < 0:
        raise ValueError(f"saved verdict of {endpoint!r} counts below 0, expected 0 or more")
    rtt_s = 0.0 if verdict.rtt_s is None else verdict.rtt_s
    last_at = 0.0 if verdict.last is None else verdict.last.at
    if not all(map(math.isfinite, (verdict.since, rtt_s, last_at))) or rtt_s < 0:
        raise ValueError(f"saved verdict of {endpoint!r} has a time that is none, expected finite seconds")
