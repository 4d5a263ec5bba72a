"""Whose time is up? One coarse wheel for all deadlines of a worker, instead of a timer a request.

A watched item has a `deadline` that it moves by plain assignment, which costs the hot path nothing: the wheel looks
only when the slot comes up that the deadline was last seen in, and files the item anew if it has moved since. A
deadline is thus met up to one tick late, and one that moves closer than the slot it is filed in must be watched anew.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Protocol


class Watched(Protocol):
    """Something with a deadline."""

    deadline: float
    """Monotonic seconds; `math.inf` for none now; `-math.inf` once it is gone for good."""

    def on_deadline(self, now: float) -> None:
        """The deadline has passed. Sets another one, or ends."""


class TimerWheel:
    """Slots of `tick_s` seconds; `advance` visits those that have come up."""

    def __init__(self, *, now: float, tick_s: float = 0.1, look_s: float = 0.5) -> None:
        self._tick_s = tick_s
        self._look_s = look_s
        """An item without a deadline is looked at again this often, lest one set later be missed for long."""
        self._slots: defaultdict[int, list[Watched]] = defaultdict(list)
        self._next = self._slot(now)

    def watch(self, item: Watched, *, now: float) -> None:
        """File `item` by its deadline, but at most `look_s` away."""
        self._slots[max(self._slot(min(item.deadline, now + self._look_s)) + 1, self._next)].append(item)

    def advance(self, now: float) -> None:
        """Call `on_deadline` of every item whose time is up."""
        current = self._slot(now)
        while self._next <= current:
            items = self._slots.pop(self._next, None)
            self._next += 1
            if not items:
                if not self._slots:
                    self._next = current + 1
                continue
            for item in items:
                if item.deadline <= now and item.deadline != -math.inf:
                    item.on_deadline(now)
                if item.deadline != -math.inf:
                    self.watch(item, now=now)

    def _slot(self, at: float) -> int:
        return math.floor(at / self._tick_s)
