"""Open, half open, closed: held against a model that keeps every outcome and reads the table of states out of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.breaker import SLICES, Breaker, BreakerPolicy


def policy(**changes: Any) -> BreakerPolicy:
    values: dict[str, Any] = {
        "tripping": "percentage",
        "error_threshold": 0.5,
        "max_errors": 3,
        "min_requests": 4,
        "window_s": 10.0,
        "open_for_s": 5.0,
        "trials": 2,
        "counts_status": True,
        "counts_timeout": True,
        "counts_connect": True,
        "statuses": frozenset({500}),
    }
    return BreakerPolicy(**{**values, **changes})


@dataclass
class Model:
    """The contract, told slowly: all outcomes with their times, and one row of the table for each change."""

    policy: BreakerPolicy
    opened_at: float | None = None
    open_for: float = 5.0
    passed: int = 0
    outcomes: list[tuple[float, bool]] = field(default_factory=list)

    def state(self, now: float) -> str:
        if self.opened_at is None:
            return "closed"
        return "open" if now < self.opened_at + self.open_for else "half_open"

    def outcome(self, *, good: bool, slice_of_outcome: int, now: float) -> None:
        if self.opened_at is None:
            self.outcomes.append((slice_of_outcome, good))
            recent = [each for at, each in self.outcomes if at > slice_of_outcome - SLICES]
            failures = recent.count(False)
            row = 0
            for _, each in reversed(self.outcomes):
                if each:
                    break
                row += 1
            trips = {
                "percentage": len(recent) >= self.policy.min_requests
                and failures >= self.policy.error_threshold * len(recent),
                "count": failures >= self.policy.max_errors,
                "consecutive": row >= self.policy.max_errors,
            }[self.policy.tripping]
            if not good and trips:
                self.opened_at, self.open_for, self.passed, self.outcomes = now, self.policy.open_for_s, 0, []
        elif good:
            self.passed += 1
            if self.passed == self.policy.trials:
                self.opened_at, self.outcomes = None, []
        else:
            self.opened_at, self.passed = now, 0
            self.open_for = min(self.open_for * 2, self.policy.open_for_s * 10)


@given(
    tripping=st.sampled_from(["percentage", "count", "consecutive"]),
    steps=st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=60),
)
@settings(max_examples=300)
def test_it_moves_as_the_table_of_states_says(tripping: Any, steps: list[tuple[int, bool]]) -> None:
    """Steps fall in the middle of a window's slices, where the model's and the breaker's windows are the same."""
    rules = policy(tripping=tripping)
    breaker, model, slices = Breaker(rules, now=0.0), Model(rules), 0
    for ahead, good in steps:
        slices += ahead
        now = slices + 0.5
        assert breaker.state(now) == model.state(now)
        if breaker.admits(now):
            epoch = breaker.begin()
            if good:
                breaker.succeed(epoch, now)
            else:
                breaker.fail(epoch, now)
            before = model.opened_at is not None
            model.outcome(good=good, slice_of_outcome=slices, now=now)
            if before and model.opened_at is None:
                # Closed anew: the window begins here, in the middle of a slice of the model's.
                assert breaker.is_closed
                return
        assert breaker.is_closed == (model.opened_at is None)


def test_half_open_admits_so_many_trials_at_a_time_and_no_more() -> None:
    breaker = Breaker(policy(tripping="consecutive", max_errors=1, trials=2), now=0.0)
    breaker.fail(breaker.begin(), 0.0)
    assert [breaker.state(now) for now in (0.0, 4.9, 5.0)] == ["open", "open", "half_open"]
    first = breaker.begin()
    breaker.begin()
    assert not breaker.admits(5.0)
    breaker.abandon(first)
    assert breaker.admits(5.0)


def test_each_failed_trial_doubles_the_time_open_up_to_ten_times() -> None:
    breaker, now, lengths = Breaker(policy(tripping="consecutive", max_errors=1), now=0.0), 0.0, []
    for _ in range(6):
        breaker.fail(breaker.begin(), now)
        lengths.append(breaker.open_until - now)
        now = breaker.open_until
    assert lengths == [5.0, 10.0, 20.0, 40.0, 50.0, 50.0]


def test_what_began_before_it_opened_says_nothing_about_a_trial() -> None:
    breaker = Breaker(policy(tripping="consecutive", max_errors=1, trials=1), now=0.0)
    early, late = breaker.begin(), breaker.begin()
    breaker.fail(early, 0.0)
    breaker.succeed(late, 6.0)
    assert breaker.state(6.0) == "half_open"
    assert breaker.succeed(breaker.begin(), 6.0)
    assert breaker.state(6.0) == "closed"


def test_failures_leave_the_window_with_time() -> None:
    breaker = Breaker(policy(tripping="count", max_errors=2), now=0.0)
    breaker.fail(breaker.begin(), 0.5)
    breaker.fail(breaker.begin(), 11.5)
    assert breaker.is_closed
    breaker.fail(breaker.begin(), 12.5)
    assert not breaker.is_closed


def test_another_configuration_keeps_it_open_no_longer_than_it_would() -> None:
    breaker = Breaker(policy(tripping="consecutive", max_errors=1, open_for_s=100.0), now=0.0)
    breaker.fail(breaker.begin(), 0.0)
    breaker.adopt(policy(tripping="consecutive", max_errors=1, open_for_s=1.0), now=10.0)
    assert breaker.state(20.0) == "half_open"
