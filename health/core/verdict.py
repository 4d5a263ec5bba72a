"""Is this endpoint up?

    untested --first result--> up | down            one result decides, for it is all there is
    up   --unhealthy_threshold failures in a row--> down
    down --healthy_threshold successes in a row---> up        more of them when it flaps

An endpoint that has gone down for the third time within ten minutes flaps: it must pass twice as many probes before it
counts as up, then four times, at most eight times as many (`MAX_DAMPING`). So it keeps its users for ever shorter
before they lose it again, but it is never given up: the bound is `MAX_DAMPING` x healthy_threshold probes.

An endpoint that is up may be *degraded* beside it: it flaps, or it takes more than half the time that its probe allows.
It serves all the same; people are told before it fails.

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

from config.core.staleness import stale_after_s
from health.core.probe import ProbeResult, ProbeSettings, ProbeTarget, spell_seconds

Health = Literal["untested", "up", "down"]

HISTORY_LENGTH = 32
"""Results kept for people to look at: with the default interval, the last two and a half minutes."""

FLAP_WINDOW_S = 600.0
FREE_FALLS = 2
"""In the window, before it flaps: a deployment takes an endpoint down once, one that is rolled back twice."""
MAX_DAMPING = 8

SLOW_SHARE = 0.5
"""Of the time that a probe is given: what takes longer on average will fail when it gets only twice as slow."""


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
    degraded: str = ""
    """Why it is not well although it is up; empty when it is, or is not up."""
    needed: int = 0
    """Successes in a row that a down endpoint needs to be up; 0 when it is not down."""


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
        self._falls: deque[float] = deque(maxlen=FREE_FALLS + MAX_DAMPING.bit_length())
        """When it went down, on the steady clock."""

    def observe(self, result: ProbeResult, *, now: float, steady: float) -> bool:
        """Takes one result in; says whether the endpoint's health changed by it. `now` is wall time."""
        self.last = result
        self.history.append(result)
        if result.passed is None:
            return False
        if result.passed:
            self.successes, self.failures = self.successes + 1, 0
            needed = 1 if self.health == "untested" else self.needed(steady=steady)
            return self.health != "up" and self.successes >= needed and self._decide("up", result.reason, now=now)
        self.successes, self.failures = 0, self.failures + 1
        needed = 1 if self.health == "untested" else self.settings.unhealthy_threshold
        if self.health == "down" or self.failures < needed:
            return False
        if self.health == "up":
            self._falls.append(steady)
        return self._decide("down", result.reason, now=now)

    def needed(self, *, steady: float) -> int:
        """Successes in a row that make it up again."""
        return self.settings.healthy_threshold * self._damping(steady)

    @property
    def is_in_doubt(self) -> bool:
        """The last probe did not say what the verdict says."""
        return (self.health == "up" and self.failures > 0) or (self.health == "down" and self.successes > 0)

    def _damping(self, steady: float) -> int:
        falls = sum(steady - at <= FLAP_WINDOW_S for at in self._falls)
        return min(MAX_DAMPING, 1 << max(0, falls - FREE_FALLS))

    def _degraded(self, *, rtt_s: float | None, steady: float) -> str:
        if self.health != "up":
            return ""
        if self._damping(steady) > 1:
            falls = sum(steady - at <= FLAP_WINDOW_S for at in self._falls)
            return f"flapping: down {falls} times in {FLAP_WINDOW_S / 60:g} minutes"
        allowed_s = self.settings.attempt_timeout_s
        if rtt_s is not None and rtt_s > SLOW_SHARE * allowed_s:
            return f"slow: more than {spell_seconds(SLOW_SHARE * allowed_s)} of {spell_seconds(allowed_s)}"
        return ""

    def forget_counts(self) -> None:
        """For when something else is asked from now on: answers to two questions make no row."""
        self.successes = self.failures = 0

    def resume(self, saved: EndpointVerdict, *, now: float) -> bool:
        """Takes up what an earlier process knew; says whether that changed anything.

        Only an untested endpoint can be told, and only what is not stale. A time in the future, which a wall clock
        that was set back makes of any past, counts as just now.
        """
        probed = saved.since if saved.last is None else saved.last.at
        if self.health != "untested" or now - probed > stale_after_s(self.settings.interval_s):
            return False
        self.health, self.reason, self.since = saved.health, saved.reason, saved.since
        self.successes, self.failures, self.last = saved.successes, saved.failures, saved.last
        return self.health != "untested"

    def verdict(self, target: ProbeTarget, *, rtt_s: float | None, steady: float) -> EndpointVerdict:
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
            degraded=self._degraded(rtt_s=rtt_s, steady=steady),
            needed=self.needed(steady=steady) if self.health == "down" else 0,
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
