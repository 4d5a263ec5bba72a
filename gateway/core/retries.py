"""May this request be tried again, and when?

Safe is: an attempt that failed before the endpoint had a byte of the request, whatever the method; for the methods
configured as idempotent also a connection lost before any byte of the answer, and the statuses configured, be they the
endpoint's or ours for it (a 504 for no answer in time, a 502 for nonsense). Never once
a byte of an answer has gone to the client. A budget keeps retries from multiplying the load of a failing service
(Finagle, "Retry budgets"): a share of the requests of the last seconds, and a few a second always.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Final, Literal

from gateway.errors import ConnectFailed, ConnectionLost, UpstreamError

BUDGET_MEMORY_S: Final = 10.0
"""Requests of this long ago earn retries no more (by exponential decay)."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """One service's retries."""

    max_retries: int
    on_connect_failure: bool
    on_reset: bool
    statuses: frozenset[int]
    methods: frozenset[str]
    backoff_kind: Literal["exponential", "linear"]
    backoff_initial_s: float
    backoff_max_s: float
    budget_share: float
    min_retries_per_s: float

    def allows_error(self, error: UpstreamError, *, method: str, retries_done: int) -> bool:
        """Whether an attempt that ended in `error`, with no byte of an answer passed on, may be followed by another."""
        if retries_done >= self.max_retries:
            return False
        if isinstance(error, ConnectFailed):
            return self.on_connect_failure
        if isinstance(error, ConnectionLost):
            return self.on_reset and (method in self.methods or not error.was_request_sent)
        return error.status in self.statuses and method in self.methods

    def allows_status(self, status: int, *, method: str, retries_done: int) -> bool:
        """Whether an answer with `status` may be dropped for another attempt."""
        return status in self.statuses and method in self.methods and retries_done < self.max_retries

    def backoff_s(self, retries_done: int, rng: random.Random) -> float:
        """Full jitter below a bound that grows with each retry."""
        growth = 2**retries_done if self.backoff_kind == "exponential" else retries_done + 1
        return rng.random() * min(self.backoff_max_s, self.backoff_initial_s * growth)


class RetryBudget:
    """One service's budget on one worker. `requests` is counted by plain assignment, to cost the hot path little."""

    __slots__ = ("_balance", "_folded_at", "requests")

    def __init__(self, *, now: float) -> None:
        self.requests = 0
        """Requests since the budget was last asked."""
        self._balance: float | None = None
        self._folded_at = now

    def take(self, policy: RetryPolicy, *, now: float) -> bool:
        """Spend one retry, if there is one."""
        if self._balance is None:
            self._balance = policy.min_retries_per_s  # the first failure of all comes before anything was saved up
        decay = math.exp(-max(0.0, now - self._folded_at) / BUDGET_MEMORY_S)
        always = policy.min_retries_per_s * BUDGET_MEMORY_S
        self._balance = self._balance * decay + self.requests * policy.budget_share + always * (1 - decay)
        self._folded_at = now
        self.requests = 0
        if self._balance < 1.0:
            return False
        self._balance -= 1.0
        return True
