"""What may this store forget, and whom does it wait for no longer?

    confirmed   what every member has applied, as it said                              below that nobody will ask again
    compared    up to where a comparison with every member found nothing wrong         no delete is forgotten half done
    settled     this store has applied all that anybody had when they confirmed that   no write is under way that had
                                                                                       not seen the delete
    cut         below all three, log and tombstones may go

The third matters to concurrent writes: whoever wrote before it knew of a delete wrote before it confirmed the delete,
so once everything that was known then has arrived, nothing older can come and find the delete forgotten.

Time alone deletes nothing. It ends the waiting for a member that is silent for `evict_after`, or that holds up more log
than `max_log`: such a member is evicted. It loses nothing: when it comes back it takes a snapshot, and gives what only
it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from sync.core.dots import VersionVector, includes, joined, meet

ALIVE_S: Final = 60.0
"""A member heard within that is not evicted for the size of the log: it is slow, and would only become slower."""

EvictionReason = Literal["silent", "log_too_large", "operator"]


@dataclass(slots=True)
class Retention:
    """Of one stream, in one store."""

    settled: VersionVector = field(default_factory=dict)
    _offered: VersionVector | None = None
    _awaited: VersionVector = field(default_factory=dict)

    def cut(
        self,
        applied: Mapping[str, int],
        members: Mapping[str, Mapping[str, int]],
        compared: Mapping[str, Mapping[str, int]],
    ) -> VersionVector:
        """Below what log and tombstones may go. `members`, `compared`: by member, this store left out."""
        if any(member not in compared for member in members):
            return {}
        offered = meet([applied, *members.values(), *(compared[member] for member in members)])
        if self._offered is None:
            self._offered = offered
            self._awaited = dict(applied)
            for vector in members.values():
                self._awaited = joined(self._awaited, vector)
        self._awaited = self._still_there([applied, *members.values()])
        if includes(applied, self._awaited):
            self.settled = joined(self.settled, self._offered)
            self._offered = None
        # A member that came new, or back, may have confirmed less than what was settled without it.
        return meet([self.settled, offered])

    def _still_there(self, vectors: Iterable[Mapping[str, int]]) -> VersionVector:
        """Of what is awaited: what somebody still has. A store that was restored may have been the only one."""
        having: VersionVector = {}
        for vector in vectors:
            having = joined(having, vector)
        return meet([self._awaited, having])


@dataclass(frozen=True, slots=True)
class Silence:
    """One member of one stream, as seen here."""

    member: str
    silent_s: float
    """Since it was last heard, over restarts."""
    holds_up: int
    """Operations applied here that it has not confirmed."""


@dataclass(frozen=True, slots=True)
class Eviction:
    """A member that is waited for no longer."""

    member: str
    reason: EvictionReason


def evictions(
    silences: Iterable[Silence], *, evict_after_s: float, log_bytes_held_up: Mapping[str, float], max_log: float
) -> list[Eviction]:
    """Who goes. `log_bytes_held_up`: by member, about how much log waits for it."""
    found = []
    left = []
    for one in silences:
        if one.silent_s >= evict_after_s:
            found.append(Eviction(one.member, "silent"))
        else:
            left.append(one)
    left.sort(key=lambda one: (-log_bytes_held_up.get(one.member, 0.0), one.member))
    for one in left:
        if log_bytes_held_up.get(one.member, 0.0) <= max_log:
            break
        if one.silent_s >= ALIVE_S:
            found.append(Eviction(one.member, "log_too_large"))
    return found


def held_up(applied: Mapping[str, int], confirmed: Mapping[str, int]) -> int:
    """How many operations a member has not confirmed."""
    return sum(max(0, seq - confirmed.get(origin, 0)) for origin, seq in applied.items())
