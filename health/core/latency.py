"""How far is a region?

    sample    http: from the request written to the first byte of the answer; tcp: the handshake
    endpoint  exponentially weighted mean of its samples, the newest weighing a quarter, the first one whole
    region    the smallest mean among its endpoints that are up; when none is, among all that were ever measured

The first byte of an answer is preferred because it is what a user waits for on a kept connection, and because a
handshake ends at whatever accepts first, be it a sidecar or a load balancer next door. So where a region has figures of
both kinds, those from answers decide.

The smallest, not the mean: it is the figure least touched by one busy endpoint, and one endpoint's hiccup does not move
it. A region that was never measured has no figure; 0 would make it the nearest of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

WEIGHT_OF_NEWEST = 0.25
"""A lasting change is three quarters absorbed after five probes; a single spike of a second moves a mean by 250 ms."""

NOTABLE_SHARE = 0.25
NOTABLE_S = 0.002
"""A region's figure has moved when it did so by both: a quarter, and more than a loop's hiccup."""


def smoothed(mean_s: float | None, sample_s: float) -> float:
    return sample_s if mean_s is None else mean_s + WEIGHT_OF_NEWEST * (sample_s - mean_s)


class Distance(NamedTuple):
    """One endpoint's figure. Ordered by how much it counts, so that a region's is the smallest."""

    is_down: bool
    is_handshake: bool
    mean_s: float


def region_rtt_s(distances: Iterable[Distance]) -> float | None:
    """A region's figure from those of its measured endpoints, None without any."""
    nearest = min(distances, default=None)
    return None if nearest is None else nearest.mean_s


def has_moved(told_s: float | None, now_s: float | None) -> bool:
    """Is the difference worth telling those who were told the old figure?"""
    if told_s is None or now_s is None:
        return told_s is not now_s
    change_s = abs(now_s - told_s)
    return change_s > NOTABLE_S and change_s > NOTABLE_SHARE * told_s
