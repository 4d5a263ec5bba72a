"""Which regions hold this write? What every store has confirmed, and what an acknowledgement may therefore say.

confirmed(stream, origin, vector)     a store, in the life that `origin` names, says what it has durably applied
regions_holding(stream, dot)          regions with a store that has it, this one's among them
members(stream)                       what each store has confirmed: what all of them have may be forgotten

Within one life a confirmation never goes back. A store that was put back from a backup starts a new life with less;
what it confirmed in the old one counts no more, and an old life that is heard again, late, is not believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sync.core.dots import Dot, VersionVector, covers, joined, region_of, store_of


class Confirmations:
    """By stream and member (a store's name, `region:id`)."""

    def __init__(self) -> None:
        self._vectors: dict[str, dict[str, VersionVector]] = {}
        self._lives: dict[tuple[str, str], str] = {}
        self._ended: set[tuple[str, str]] = set()

    def confirmed(self, stream: str, origin: str, vector: Mapping[str, int]) -> bool:
        """Take down what a member has; whether that was news."""
        member, place = store_of(origin), (stream, store_of(origin))
        if (stream, origin) in self._ended:
            return False
        members = self._vectors.setdefault(stream, {})
        life = self._lives.get(place)
        if life != origin:
            if life is not None:
                self._ended.add((stream, life))
            self._lives[place] = origin
            members[member] = dict(vector)
            return True
        known = members.get(member, {})
        now_known = joined(known, vector)
        members[member] = now_known
        return now_known != known

    def life(self, stream: str, member: str) -> str | None:
        """The origin under which a member last confirmed anything."""
        return self._lives.get((stream, member))

    def forget(self, stream: str, member: str) -> bool:
        """Count it no more, until it confirms again; whether it was counted."""
        self._lives.pop((stream, member), None)
        return self._vectors.get(stream, {}).pop(member, None) is not None

    def regions_holding(self, stream: str, dot: Dot, *, own_region: str, permitted: Iterable[str]) -> set[str]:
        """Regions, of those permitted, in which a store has the write."""
        holding = {
            region_of(member) for member, vector in self._vectors.get(stream, {}).items() if covers(vector, *dot)
        }
        return (holding | {own_region}) & set(permitted)

    def missing(self, stream: str, dot: Dot, *, own_region: str, permitted: Iterable[str]) -> list[str]:
        """Permitted regions that have not confirmed the write, in order."""
        wanted = list(permitted)
        holding = self.regions_holding(stream, dot, own_region=own_region, permitted=wanted)
        return [region for region in wanted if region not in holding]

    def members(self, stream: str) -> Mapping[str, VersionVector]:
        """What each has confirmed."""
        return self._vectors.get(stream, {})
