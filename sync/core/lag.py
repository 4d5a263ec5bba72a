"""How far is this store behind another, in operations and in seconds, and is it getting nearer?

    heard(stream, theirs, ours, now)     at every answer: their heads and what is applied here
    lag(stream, now)                     operations that they have and we do not; seconds since we had all they had

Seconds count from the moment of the last answer after which nothing was missing: a peer that cannot be reached makes
the figure grow, as it should, for nobody knows what it has written since. While answers come, a stream in which nothing
is missing has no lag. A stream with work and no progress for long is *stalled*: the commonest failure of replication.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

STALLED_AFTER_S: Final = 30.0
"""Work to do, answers or not, and nothing applied for so long."""


@dataclass(frozen=True, slots=True)
class Lag:
    """Of one stream towards one peer."""

    operations: int
    seconds: float | None
    """None while the peer was never heard of this stream."""
    is_stalled: bool


class _Stream:
    __slots__ = ("applied", "missing", "moved_at", "whole_at")

    def __init__(self) -> None:
        self.missing = 0
        self.applied = -1
        self.whole_at: float | None = None
        self.moved_at = 0.0


class LagBook:
    """Towards one peer. `now` is monotonic seconds; `fresh_s` is how old an answer may be to speak for the present."""

    def __init__(self, *, fresh_s: float) -> None:
        self._fresh_s = fresh_s
        self._streams: dict[str, _Stream] = {}

    def heard(self, stream: str, theirs: Mapping[str, int], ours: Mapping[str, int], *, now: float) -> None:
        """What the peer has, and what is applied here, as of `now`."""
        entry = self._streams.setdefault(stream, _Stream())
        entry.missing = sum(max(0, seq - ours.get(origin, 0)) for origin, seq in theirs.items())
        applied = sum(ours.values())
        if applied != entry.applied or not entry.missing:
            entry.applied, entry.moved_at = applied, now
        if not entry.missing:
            entry.whole_at = now

    def forget(self, stream: str) -> None:
        """It is replicated no more."""
        self._streams.pop(stream, None)

    def streams(self) -> list[str]:
        return sorted(self._streams)

    def lag(self, stream: str, *, now: float) -> Lag:
        entry = self._streams.get(stream)
        if entry is None or entry.whole_at is None:
            return Lag(entry.missing if entry else 0, None, is_stalled=self._is_stalled(entry, now))
        age_s = now - entry.whole_at
        if not entry.missing and age_s <= self._fresh_s:
            age_s = 0.0
        return Lag(entry.missing, age_s, is_stalled=self._is_stalled(entry, now))

    @staticmethod
    def _is_stalled(entry: _Stream | None, now: float) -> bool:
        return entry is not None and entry.missing > 0 and now - entry.moved_at > STALLED_AFTER_S
