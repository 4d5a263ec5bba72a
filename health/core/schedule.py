"""When is an endpoint probed next?

    first probe     within min(interval, 1 s), at a random moment: known soon, and not all at once
    next probe      `gap` after this one was DUE, gap uniform in interval x (1 - jitter) .. interval x (1 + jitter),
                    its lower end raised to the attempt's timeout, so that an attempt is over before the next is due

    in doubt        within `DOUBT_SHARE` of an interval, with the same jitter, after this one ended: the endpoint is
                    up and the last probe failed, or it is down and the last one passed (`hurried`)
    suspected       at once, when requests of ours have failed, but no more often than one in doubt (`suspected`)

Doubt and suspicion only bring probes forward, so the promise below holds with and without; with a settled endpoint
there is neither, and its probes cost what they always cost.

The promise. An endpoint that dies at t is down no later than

    t + unhealthy_threshold x interval x (1 + jitter) + timeout      (`verdict_bound_s`), plus what the node lost itself

Proof. Let d0 be when the last probe that passed was due; it started at d0 or later, and before t, for it found the
endpoint alive: d0 <= t. The following probes are due at d1, d2, ... with d(k+1) - dk <= interval x (1 + jitter), so
the n-th failing one is due by t + n x interval x (1 + jitter) and has failed one timeout later. The return of an
endpoint is bounded in the same way, with healthy_threshold, or what flap damping makes of it (verdict.py). What the
node loses is the lateness of the last probe only: gaps are counted from when a probe was due, not from when it
started, so lateness does not add up. Up to `FORGIVEN_S` of it, that is: a node that stood still for minutes probes
on from now, it does not catch up. And where the timeout fills the gap, each probe waits for the one before it: there
the lateness of every one counts.
"""

from __future__ import annotations

import random

from health.core.probe import ProbeSettings

FIRST_WITHIN_S = 1.0
DOUBT_SHARE = 0.25
"""Four probes in the time of one, while it is not known what to think: with the defaults a dead endpoint is down some
3.5 s after its first failed probe and not 10, and one lost packet still decides nothing."""
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


def hurried(settings: ProbeSettings, *, due: float, ended: float, rng: random.Random) -> float:
    """When to probe again after a probe that `ended` and left doubt, where `due` was planned."""
    gap_s = DOUBT_SHARE * settings.interval_s
    return min(due, ended + rng.uniform(gap_s * (1 - settings.jitter), gap_s * (1 + settings.jitter)))


def suspected(settings: ProbeSettings, *, due: float, started: float, now: float) -> float:
    """When to probe an endpoint that requests have failed at, whose last probe `started` then."""
    return min(due, max(now, started + DOUBT_SHARE * settings.interval_s))


def verdict_bound_s(settings: ProbeSettings, *, threshold: int) -> float:
    """From an endpoint's death or return to the verdict, at most, if the node itself loses no time."""
    return threshold * settings.longest_gap_s + settings.timeout_s
