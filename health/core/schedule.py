"""When is an endpoint probed next?

    first probe     within min(interval, 1 s), at a random moment: known soon, and not all at once
    next probe      `gap` after this one was DUE, gap uniform in interval x (1 - jitter) .. interval x (1 + jitter),
                    its lower end raised to the attempt's timeout, so that an attempt is over before the next is due

The promise. An endpoint that dies at t is down no later than

    t + unhealthy_threshold x interval x (1 + jitter) + timeout      (`verdict_bound_s`), plus what the node lost itself

Proof. Let d0 be when the last probe that passed was due; it started at d0 or later, and before t, for it found the
endpoint alive: d0 <= t. The following probes are due at d1, d2, ... with d(k+1) - dk <= interval x (1 + jitter), so
the n-th failing one is due by t + n x interval x (1 + jitter) and has failed one timeout later. The return of an
endpoint is bounded in the same way, with healthy_threshold. What the node loses is the lateness of the last probe
only: gaps are counted from when a probe was due, not from when it started, so lateness does not add up. Up to
`FORGIVEN_S` of it, that is: a node that stood still for minutes probes on from now, it does not catch up.
"""

from __future__ import annotations

import random

from health.core.probe import ProbeSettings

FIRST_WITHIN_S = 1.0
FORGIVEN_S = 0.1
"""Lateness that the next gap makes good; the slack that the promise leaves to the node itself."""


def first_due(settings: ProbeSettings, *, now: float, rng: random.Random) -> float:
    """When an endpoint that was never probed, or is to be asked something new, is probed."""
    return now + min(settings.interval_s, FIRST_WITHIN_S) * rng.random()


def next_due(settings: ProbeSettings, *, due: float, started: float, rng: random.Random) -> float:
    """When to probe again after a probe that was `due` and `started`, the latter never being the earlier."""
    shortest_gap_s = max(settings.interval_s * (1 - settings.jitter), settings.attempt_timeout_s)
    counted_from = max(due, started - FORGIVEN_S)
    return counted_from + rng.uniform(shortest_gap_s, settings.longest_gap_s)


def verdict_bound_s(settings: ProbeSettings, *, threshold: int) -> float:
    """From an endpoint's death or return to the verdict, at most, if the node itself loses no time."""
    return threshold * settings.longest_gap_s + settings.timeout_s
