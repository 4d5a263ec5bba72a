"""How does one change of a register come about?

    start: Prepare to all --majority promised--> change(highest accepted value) --> Accept to all --majority--> chosen
                  any refusal by a higher ballot: beaten, try again above it        too many refusals: refused

A change that cannot be made (a conflict) first makes sure that what it conflicts with is really agreed on. An outcome
that never comes (lost messages) is the caller's to time out; the change may then happen later, through whoever next
finds it on an acceptor, which is why every change is a compare-and-set on what it saw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from health.core.acceptor import MAX_REGISTERS, Accept, Accepted, Answer, Ballot, Prepare, Promise, Raise, Refusal
from health.core.membership import View
from health.core.rows import NotStorable, StaleEpoch, StateError

Change = Callable[[Any], Any]
"""From the current value (None: none yet) to the next; raises a `StateError` when that cannot be."""


def unchanged(current: Any) -> Any:
    """The change of a read: what is there is agreed on once more."""
    return current


class Round:
    """One attempt under one ballot. `is_over` when there is an outcome."""

    def __init__(self, view: View, register: str, ballot: Ballot, change: Change, *, epoch: int | None = None) -> None:
        self._view = view
        self._register = register
        self._ballot = ballot
        self._change = change
        self._epoch = epoch
        self._promises: dict[str, Promise] = {}
        self._accepted: set[str] = set()
        self._against: dict[str, Refusal] = {}
        self._cannot: StateError | None = None
        self._proposed = False
        self.value: Any = None
        """What was chosen, once it is."""
        self.is_chosen = False
        self.is_lost = False
        """No majority can come any more; what some accepted may still be chosen by whoever finds it."""

    @property
    def is_over(self) -> bool:
        return self.is_chosen or self.is_lost

    @property
    def failure(self) -> StateError | None:
        """Why trying again is of no use; None when the change was made, or may be tried again."""
        if self.is_chosen or self._cannot is not None:
            return self._cannot
        reasons = {refusal.reason: refusal for refusal in self._against.values()}
        if "epoch" in reasons:
            fence = reasons["epoch"].about.fence
            return StaleEpoch(f"found the epoch {fence} in the store, expected at most {self._epoch}")
        if "full" in reasons:
            return NotStorable(f"found an acceptor with {MAX_REGISTERS} rows: a journal must reuse its keys")
        return None

    @property
    def beaten_by(self) -> Ballot | None:
        """The highest ballot that stood in the way."""
        return max((one.promised for one in self._against.values() if one.promised), default=None)

    def start(self) -> dict[str, Prepare]:
        return {
            name: Prepare(self._view.generation, incarnation, self._register, self._ballot, self._epoch)
            for name, incarnation in self._view.members.items()
        }

    def hear(self, name: str, answer: Answer) -> Mapping[str, Accept]:
        """One acceptor's answer; what to send because of it."""
        if self.is_over or name not in self._view.members:
            return {}
        if isinstance(answer, Refusal):
            self._against[name] = answer
            self.is_lost = len(self._view.members) - len(self._against) < self._view.majority
        elif isinstance(answer, Promise) and not self._proposed:
            self._promises[name] = answer
            if len(self._promises) >= self._view.majority:
                return self._propose()
        elif isinstance(answer, Accepted) and self._proposed:
            self._accepted.add(name)
            self.is_chosen = len(self._accepted) >= self._view.majority
        return {}

    def _propose(self) -> dict[str, Accept]:
        latest = max(self._promises.values(), key=lambda promise: promise.accepted or (0, ""))
        current = latest.value if latest.accepted is not None else None
        epoch = self._epoch
        try:
            self.value = self._change(current)
        except StateError as failure:
            self._cannot = failure
            self.value, epoch = current, None
        self._proposed = True
        if self.value is None:  # nothing there, and nothing to put there
            self.is_chosen = True
            return {}
        return {
            name: Accept(self._view.generation, incarnation, self._register, self._ballot, self.value, epoch)
            for name, incarnation in self._view.members.items()
        }


class Fencing:
    """A majority that refuses leaders below `epoch`."""

    def __init__(self, view: View, epoch: int) -> None:
        self._view = view
        self._epoch = epoch
        self._done: set[str] = set()
        self._against: dict[str, Refusal] = {}

    @property
    def is_chosen(self) -> bool:
        return len(self._done) >= self._view.majority

    @property
    def is_over(self) -> bool:
        return self.is_chosen or len(self._view.members) - len(self._against) < self._view.majority

    @property
    def failure(self) -> StateError | None:
        for refusal in self._against.values():
            if refusal.reason == "epoch" and not self.is_chosen:
                return StaleEpoch(f"found the epoch {refusal.about.fence}, expected at most {self._epoch}")
        return None

    def start(self) -> dict[str, Raise]:
        return {name: Raise(self._view.generation, one, self._epoch) for name, one in self._view.members.items()}

    def hear(self, name: str, answer: Answer) -> Mapping[str, Accept]:
        if isinstance(answer, Refusal):
            self._against[name] = answer
        else:
            self._done.add(name)
        return {}
