"""May this endpoint be asked, after what its last answers were? One breaker an endpoint and worker.

    closed ── enough failures ──> open ── open_for is over ──> half open ── trials passed ──> closed
                                   ^                               │
                                   └──── a trial failed, open_for doubled, to 10x ──┘

The state is a function of `now`: nothing has to happen for an open breaker to become half open. Failures are counted
in slices of the window, so that a success costs a comparison and an addition. What was begun under one state says
nothing about another: each change starts an epoch, and outcomes of an earlier epoch are not counted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

SLICES: Final = 10
"""Of a window: a failure counts for between nine tenths of the window and all of it."""
LONGEST: Final = 10.0
"""Times `open_for`."""


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """One service's breakers."""

    tripping: Literal["percentage", "count", "consecutive"]
    error_threshold: float
    max_errors: int
    min_requests: int
    window_s: float
    open_for_s: float
    trials: int
    """Of one worker, at a time."""
    counts_status: bool
    counts_timeout: bool
    counts_connect: bool
    statuses: frozenset[int]


class Breaker:
    """One endpoint's. `begin` what it admits; then `succeed`, `fail` or `abandon` with what `begin` returned."""

    __slots__ = (
        "_began",
        "_failures",
        "_in_row",
        "_older",
        "_older_failures",
        "_older_requests",
        "_requests",
        "_slice",
        "_slice_ends",
        "_trials_passed",
        "epoch",
        "is_closed",
        "open_for_s",
        "open_until",
        "policy",
        "trials_running",
    )

    def __init__(self, policy: BreakerPolicy, *, now: float) -> None:
        self.policy = policy
        self.is_closed = True
        self.epoch = 0
        self.open_until = 0.0
        self.open_for_s = policy.open_for_s
        self.trials_running = 0
        self._trials_passed = 0
        self._requests = 0
        self._failures = 0
        self._in_row = 0
        self._slice_ends = 0.0
        self._began = now
        self._slice = 0
        self._older: deque[tuple[int, int, int]] = deque()
        """(number, requests, failures) of the slices before."""
        self._older_requests = 0
        self._older_failures = 0
        self._forget(now)

    def state(self, now: float) -> Literal["closed", "open", "half_open"]:
        if self.is_closed:
            return "closed"
        return "open" if now < self.open_until else "half_open"

    def admits(self, now: float) -> bool:
        """Whether one more request may go."""
        return self.is_closed or (
            now >= self.open_until and self.trials_running + self._trials_passed < self.policy.trials
        )

    def begin(self) -> int:
        """A request goes; returns the epoch that its outcome belongs to."""
        if not self.is_closed:
            self.trials_running += 1
        return self.epoch

    def succeed(self, epoch: int, now: float) -> bool:
        """Whether that has changed the state."""
        if self.is_closed:
            if now >= self._slice_ends:
                self._advance(now)
            self._requests += 1
            self._in_row = 0
            return False
        if epoch != self.epoch:
            return False
        self.trials_running -= 1
        self._trials_passed += 1
        if self._trials_passed < self.policy.trials:
            return False
        self.is_closed = True
        self.epoch += 1
        self.open_for_s = self.policy.open_for_s
        self._forget(now)
        return True

    def fail(self, epoch: int, now: float) -> bool:
        """Whether that has changed the state."""
        if epoch != self.epoch:
            return False
        if not self.is_closed:
            self.open_for_s = min(self.open_for_s * 2.0, self.policy.open_for_s * LONGEST)
            self._open(now)
            return True
        if now >= self._slice_ends:
            self._advance(now)
        self._requests += 1
        self._failures += 1
        self._in_row += 1
        if self._trips():
            self._open(now)
            return True
        return False

    def abandon(self, epoch: int) -> None:
        """It ended without saying anything about the endpoint: its client left, or another copy won."""
        if not self.is_closed and epoch == self.epoch:
            self.trials_running -= 1

    def adopt(self, policy: BreakerPolicy, *, now: float) -> None:
        """Another configuration; what was learnt stays, as far as it can be read under it."""
        if policy != self.policy:
            if policy.window_s != self.policy.window_s:
                self._forget(now)
            self.policy = policy
            self.open_for_s = min(max(self.open_for_s, policy.open_for_s), policy.open_for_s * LONGEST)
            self.open_until = min(self.open_until, now + self.open_for_s)
            self._trials_passed = min(self._trials_passed, max(0, policy.trials - 1))

    def _trips(self) -> bool:
        policy = self.policy
        if policy.tripping == "consecutive":
            return self._in_row >= policy.max_errors
        failures = self._failures + self._older_failures
        if policy.tripping == "count":
            return failures >= policy.max_errors
        requests = self._requests + self._older_requests
        return requests >= policy.min_requests and failures >= policy.error_threshold * requests

    def _open(self, now: float) -> None:
        self.is_closed = False
        self.epoch += 1
        self.open_until = now + self.open_for_s
        self.trials_running = 0
        self._trials_passed = 0

    def _forget(self, now: float) -> None:
        self._requests = self._failures = self._in_row = 0
        self._older.clear()
        self._older_requests = self._older_failures = 0
        self._began = now
        self._slice = 0
        self._slice_ends = now + self.policy.window_s / SLICES

    def _advance(self, now: float) -> None:
        """Put the slice aside that has ended, and drop those that the window has left behind."""
        if self._requests:
            self._older.append((self._slice, self._requests, self._failures))
            self._older_requests += self._requests
            self._older_failures += self._failures
            self._requests = self._failures = 0
        width = self.policy.window_s / SLICES
        self._slice = max(self._slice + 1, int((now - self._began) / width))
        self._slice_ends = self._began + (self._slice + 1) * width
        while self._older and self._older[0][0] <= self._slice - SLICES:
            _, requests, failures = self._older.popleft()
            self._older_requests -= requests
            self._older_failures -= failures
