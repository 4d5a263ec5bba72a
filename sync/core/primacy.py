"""May this store take a write to a collection of strategy `primary`? Only with a lease, and a successor near.

    not told, or nobody holds it      refused: again in a moment
    another region, another node      elsewhere: the write is carried there
    ours, lease until > now           here, once this store has caught up with everybody it could reach
    ours, but nobody who could follow has confirmed for `rpo_s`     refused: what is taken now might be lost with us

A store is asked before a write and again before its answer: one that was paused in between has written what nobody may
be told is done; it stays, beside what the next primary wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec

from sync.core.dots import region_of


class Primary(msgspec.Struct, frozen=True):
    """What the control process says of the collections with one configured primary region."""

    region: str
    """That leads now."""
    epoch: int | None = None
    """Of this node's write lease; None where it holds none."""
    until: float | None = None
    """By the machine's boot-time clock."""
    eligible: tuple[str, ...] = ()
    """Regions that could follow: not down, and others than `region`."""
    is_revoked: bool = False
    """With no epoch: whether one told before ends now, and does not run out by itself."""


@dataclass(frozen=True, slots=True)
class Here:
    """Take it."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Carry it to this region."""

    region: str


@dataclass(frozen=True, slots=True)
class NotNow:
    """Refuse it; it may be tried again."""

    reason: str
    """Slug."""
    detail: str


class Primacy:
    """One store's knowledge of who takes writes. `boot` is seconds of the boot-time clock, `now` monotonic ones."""

    def __init__(self, region: str, *, rpo_s: float) -> None:
        self._region = region
        self._rpo_s = rpo_s
        self._told: dict[str, Primary] = {}
        self._ready: dict[str, int] = {}
        self._behind_since: dict[str, float] = {}

    def tell(self, primaries: Mapping[str, Primary]) -> None:
        """By configured region. An older epoch than one told before is a late word; none at all leaves the one that is
        held to its end, unless it is revoked or the region has lost the role."""
        for name, told in primaries.items():
            known = self._told.get(name)
            if known is not None and known.epoch is not None:
                if told.epoch is not None and told.epoch < known.epoch:
                    continue
                if told.epoch is None and not told.is_revoked and told.region == self._region:
                    self._told[name] = msgspec.structs.replace(told, epoch=known.epoch, until=known.until)
                    continue
            self._told[name] = told

    def told(self, configured: str) -> Primary | None:
        return self._told.get(configured)

    def standing(
        self, stream: str, configured: str, regions: Collection[str], *, boot: float
    ) -> Here | Elsewhere | NotNow:
        """Where a write to `stream` goes now."""
        told = self._told.get(configured)
        if told is None:
            return NotNow("primary_unknown", "it is not known yet which region takes writes to this collection")
        if told.region not in regions:
            detail = f"region {told.region} leads and may not hold this collection, so nobody takes writes to it"
            return NotNow("no_primary", detail)
        if told.region != self._region:
            return Elsewhere(told.region)
        if told.epoch is None or told.until is None or boot >= told.until:
            return Elsewhere(told.region)
        if self._ready.get(stream) != told.epoch:
            return NotNow(
                "primary_catching_up", "this region has just begun to take writes, and looks for earlier ones"
            )
        return Here(told.epoch)

    def holds(self, configured: str, epoch: int, *, boot: float) -> bool:
        """Whether what was begun in `epoch` may be answered."""
        told = self._told.get(configured)
        return told is not None and told.epoch == epoch and told.until is not None and boot < told.until

    def held(self, configured: str, *, boot: float) -> int | None:
        """The epoch in which this store may take writes by its lease, caught up or not."""
        told = self._told.get(configured)
        if told is None or told.region != self._region or told.until is None or boot >= told.until:
            return None
        return told.epoch

    def ready(self, stream: str, epoch: int) -> None:
        """It has what it could find of earlier writes."""
        self._ready[stream] = epoch

    def is_ready(self, stream: str, epoch: int) -> bool:
        return self._ready.get(stream) == epoch

    def lacks_successor(
        self,
        stream: str,
        configured: str,
        regions: Collection[str],
        written: int,
        confirmed: Mapping[str, int],
        *,
        now: float,
    ) -> str | None:
        """Why nothing more should be taken; None when it may. `confirmed`: by member, how much of the own origin's."""
        told = self._told.get(configured)
        eligible = set(told.eligible).intersection(regions) if told is not None else set()
        if not eligible:
            self._behind_since.pop(stream, None)
            return None
        best = max((seq for member, seq in confirmed.items() if region_of(member) in eligible), default=0)
        if best >= written:
            self._behind_since.pop(stream, None)
            return None
        since = self._behind_since.setdefault(stream, now)
        if now - since <= self._rpo_s:
            return None
        return f"no region that could follow has confirmed the last {written - best} writes for {self._rpo_s:g} s"
