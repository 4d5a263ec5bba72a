"""Which child hangs without dying?

A child says something at least once a second. One that has said nothing for `silence_s` hangs: stopped, in an endless
loop, or waiting for what never comes. One that has just been started gets longer, since it has to read first.

Silence is only counted while somebody listens: when the looks themselves were far apart, because the machine was
suspended or the listener starved, everybody has a fresh period to be heard again.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Who = TypeVar("Who", bound=Hashable)

SILENCE_S = 20.0
"""Twenty missed beats: far longer than any work that keeps a loop from turning, since killing one that is only slow
costs the requests it holds."""
START_PERIODS = 10
"""How many periods a start may take: 200 s carry the largest configuration on the slowest machine."""
LOOKS_A_PERIOD = 4
GAP_LOOKS = 2
"""So many looks missed in a row are our own absence."""


class Silence(Generic[Who]):
    """The ledger of who was heard when. `now` is monotonic seconds."""

    def __init__(self, silence_s: float = SILENCE_S) -> None:
        self._silence_s = silence_s
        self._every_s = silence_s / LOOKS_A_PERIOD
        self._hung_at: dict[Who, float] = {}
        self._last_look: float | None = None

    def began(self, who: Who, *, now: float) -> None:
        """It was started."""
        self._hung_at[who] = now + self._silence_s * START_PERIODS

    def heard(self, who: Who, *, now: float) -> None:
        """It said something, whatever it was."""
        if who in self._hung_at:
            self._hung_at[who] = now + self._silence_s

    def ended(self, who: Who) -> None:
        """Nothing is expected of it any more."""
        self._hung_at.pop(who, None)

    def look(self, *, now: float) -> list[Who]:
        """Those that hang; each is told once."""
        if self._last_look is not None and now - self._last_look > self._every_s * GAP_LOOKS:
            for who, at in self._hung_at.items():
                self._hung_at[who] = max(at, now + self._silence_s)
        self._last_look = now
        hung = [who for who, at in self._hung_at.items() if now >= at]
        for who in hung:
            self.ended(who)
        return hung

    def next_look(self) -> float | None:
        """When to look again at the latest; None before the first look, and when nobody has to say anything."""
        if self._last_look is None or not self._hung_at:
            return None
        return self._last_look + self._every_s
