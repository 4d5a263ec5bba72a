"""Whose word on the time does a node take, when its own clock and its peers' differ?

    time(wall, now)            the operating system's clock while it moves on evenly; after a jump, what it would show
                               without it
    heard(peer, clock, now)    what a peer's clock shows; when the median of all is further away than `max_skew_s`,
                               this node goes by the median

A stamp that lies too far ahead is invisible to the other regions until their clocks get there: a node whose clock is
an hour ahead would hide its writes for an hour. And stamps never go back: it would go on hiding them for an hour after
its clock is right again. So a jump is not followed before the others say so; alone, a node has nothing but its own
clock, and follows it.

Clocks are kept as differences to this node's monotonic clock, so that what was heard stays true while time goes by.
`now` is monotonic seconds, clocks are Unix seconds.
"""

from __future__ import annotations

from collections import deque
from typing import Final

FORGET_AFTER_S: Final = 600.0
"""A peer that has been silent for so long has no say any more."""
WEIGH_S: Final = 60.0
"""An answer was under way for a while, so a clock is later than it was read, never earlier: of what was heard of a peer
in this time the latest counts, or busy machines would seem to have clocks that are slow."""
MOST_WEIGHED: Final = 32


class SteadyClock:
    """One node's."""

    def __init__(self, *, max_skew_s: float) -> None:
        self._max_skew_s = max_skew_s
        self._jump_s = max_skew_s / 2
        """Less than this between two looks is a clock being set right, slowly: it is followed."""
        self._offset: float | None = None
        """Of the time that is told, to the monotonic clock."""
        self._peers: dict[str, deque[tuple[float, float]]] = {}
        """Offsets of each peer's clock, and when each was heard."""
        self.off_by_s = 0.0
        """What is told less what the operating system's clock shows."""

    def time(self, *, wall: float, now: float) -> float:
        """Unix seconds to stamp by."""
        offset = wall - now
        is_even = self._offset is None or abs(offset - self._offset) <= self._jump_s
        if is_even or not self._peers:
            self._offset = offset
        told = now + (self._offset if self._offset is not None else offset)
        self.off_by_s = told - wall
        return told

    def heard(self, peer: str, clock: float, *, now: float) -> float | None:
        """By how much the time moved because of it, None where it did not."""
        self._peers.setdefault(peer, deque(maxlen=MOST_WEIGHED)).append((clock - now, now))
        self._peers = {name: heard for name, heard in self._peers.items() if now - heard[-1][1] <= FORGET_AFTER_S}
        if self._offset is None:
            return None
        away = _median_nearest_to_zero([0.0, *(_weighed(heard) - self._offset for heard in self._peers.values())])
        if abs(away) <= self._max_skew_s:
            return None
        self._offset += away
        return away


def _weighed(heard: deque[tuple[float, float]]) -> float:
    """The latest that one peer's clock was, lately."""
    last_at = heard[-1][1]
    return max(offset for offset, at in heard if last_at - at <= WEIGH_S)


def _median_nearest_to_zero(values: list[float]) -> float:
    """Of an even number the middle one that changes less: two clocks that differ do not say which is wrong."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return min(ordered[middle - 1], ordered[middle], key=abs)
