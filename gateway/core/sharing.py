"""How much of a cap of the node may this worker use now? Its own part, and of the others' what they leave unused.

    hold       what a worker has for itself: up to there nothing that is shared is touched
    reserve    what nobody holds; one that is short takes a batch of it at once (`grow`)
    lack       how many wait at a worker that is short: seen by the others a tenth of a second later (`settle`), who
               give what they do not use, and of what is above an equal share also what they do use, as it comes free

Each worker begins with half of an equal share, and has one place at least, whoever asks. What all hold together is
never above the cap, and none takes more into use than it holds: the sum is exact. It changes only under the row's lock;
where that is not had in time, nothing changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

LOOKS_OF_A_PEAK: Final = 10
"""What was in use at one of the last ten to twenty looks is still needed: one to two seconds."""


class Row(Protocol):
    """One cap of the node, in memory that all workers see (gateway/places.py)."""

    me: int
    """Which worker this is."""

    def read(self) -> tuple[Sequence[int], Sequence[int]]:
        """What each holds, and what each lacks."""

    def write(self, hold: int, lack: int) -> None:
        """One's own."""

    def lock(self) -> bool:
        """Whether it was had."""

    def unlock(self) -> None: ...


class Part:
    """One worker's of one cap."""

    __slots__ = ("_cap", "_lack", "_looks", "_peak", "_peak_before", "_row", "hold", "usable")

    def __init__(self, row: Row) -> None:
        self._row = row
        self._cap = 0
        self._lack = 0
        self._looks = 0
        self._peak = self._peak_before = 0
        self.hold = 0
        """What nobody else may use."""
        self.usable = 0
        """Of that, what may be taken into use: less while some is being given back."""

    def adopt(self, cap: int) -> None:
        """What the cap is, at first or from now on."""
        is_new = not self._cap
        self._cap = cap
        if is_new and self._row.lock():
            try:
                holds, _ = self._row.read()
                # What a worker of before held in this place is free: its requests ended with it.
                to_be_had = _free(holds, cap) + max(1, holds[self._row.me])
                self._take(max(1, min(to_be_had, cap // (2 * len(holds)))))
            finally:
                self._row.unlock()
        elif is_new:
            self.hold = self.usable = 1  # that is everybody's own, and needs no lock

    def grow(self, need: int) -> bool:
        """Take `need` more, or what there is, out of the reserve; whether there is more now."""
        cap, row = self._cap, self._row
        self._peak = max(self._peak, self.usable)
        if _free(row.read()[0], cap) <= 0 or not row.lock():
            return False
        try:
            holds, lacks = row.read()
            fair = max(1, cap // len(holds))
            free = _free(holds, cap)
            if self.hold >= fair:  # others, who have less than that and wait, go first
                free -= sum(min(lack, max(0, fair - hold)) for hold, lack in zip(holds, lacks, strict=True))
            taken = min(free, max(need, cap // (8 * len(holds))))
            if taken <= 0:
                return False
            self._take(self.hold + taken)
            return True
        finally:
            row.unlock()

    def settle(self, *, used: int, busy: int, lack: int) -> None:
        """Once in a while: say what is lacking, give what others lack. `busy` of those `used` are not just kept."""
        self._peak = max(self._peak, busy)
        self._looks += 1
        if self._looks >= LOOKS_OF_A_PEAK:
            self._looks, self._peak_before, self._peak = 0, self._peak, busy
        row = self._row
        holds, lacks = row.read()
        usable = self._goal(holds, lacks, used, lack)
        hold = max(usable, used)
        self.usable = usable  # less is taken into use from now on, and given when it has come free
        if (hold, lack) != (self.hold, self._lack) and row.lock():
            try:
                self.hold, self._lack = hold, lack
                row.write(hold, lack)
            finally:
                row.unlock()

    def leave(self) -> None:
        """The cap is no more; all of it is free."""
        if self._row.lock():
            try:
                self._row.write(0, 0)
            finally:
                self._row.unlock()

    def _goal(self, holds: Sequence[int], lacks: Sequence[int], used: int, lack: int) -> int:
        """What this worker should get along with."""
        cap, mine, workers = self._cap, self.hold, len(holds)
        free = _free(holds, cap)
        if free < 0:
            return max(1, mine + free)  # the cap was lowered
        peak = max(1, self._peak, self._peak_before)
        wanted = sum(lacks) - lacks[self._row.me] - free
        if wanted > 0:
            fair = max(1, cap // workers)
            is_owed = any(
                waiting and hold < fair
                for number, (hold, waiting) in enumerate(zip(holds, lacks, strict=True))
                if number != self._row.me
            )
            return max(1, mine - min(wanted, max(mine - peak, mine - fair if is_owed else 0, 0)))
        floor = max(1, cap // (2 * workers))
        if mine > floor and not lack:
            return max(floor, min(mine, max(peak, used) + cap // (8 * workers)))
        return mine

    def _take(self, hold: int) -> None:
        self.hold = self.usable = hold
        self._row.write(hold, self._lack)


def _free(holds: Sequence[int], cap: int) -> int:
    """What nobody holds. One is everybody's, also of a worker that has not begun."""
    return cap - sum(max(1, hold) for hold in holds)
