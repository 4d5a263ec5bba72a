"""Only safe retries, and only within the budget."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from gateway.core.retries import RetryBudget, RetryPolicy
from gateway.errors import AnswerRefused, AnswerTimeout, ConnectFailed, ConnectionLost, UpstreamError

POLICY = RetryPolicy(
    max_retries=2,
    on_connect_failure=True,
    on_reset=True,
    statuses=frozenset({503}),
    methods=frozenset({"GET"}),
    backoff_kind="exponential",
    backoff_initial_s=0.025,
    backoff_max_s=0.25,
    budget_share=0.2,
    min_retries_per_s=10.0,
)


@pytest.mark.parametrize(
    ("error", "method", "allowed"),
    [
        (ConnectFailed("x"), "GET", True),
        (ConnectFailed("x"), "POST", True),
        (ConnectionLost("x"), "GET", True),
        (ConnectionLost("x"), "POST", False),
        (ConnectionLost("x", was_request_sent=False), "POST", True),
        (AnswerTimeout("x"), "GET", False),
        (AnswerRefused("x"), "GET", False),
    ],
)
def test_what_may_be_tried_again(error: UpstreamError, method: str, *, allowed: bool) -> None:
    assert POLICY.allows_error(error, method=method, retries_done=0) is allowed
    assert not POLICY.allows_error(error, method=method, retries_done=2)


def test_statuses_are_retried_for_idempotent_methods_only() -> None:
    assert POLICY.allows_status(503, method="GET", retries_done=1)
    assert not POLICY.allows_status(503, method="POST", retries_done=0)
    assert not POLICY.allows_status(500, method="GET", retries_done=0)
    assert not POLICY.allows_status(503, method="GET", retries_done=2)


def test_what_is_switched_off_is_not_retried() -> None:
    policy = replace(POLICY, on_connect_failure=False, on_reset=False)
    assert not policy.allows_error(ConnectFailed("x"), method="GET", retries_done=0)
    assert not policy.allows_error(ConnectionLost("x"), method="GET", retries_done=0)


def test_back_off_is_jittered_below_a_growing_bound() -> None:
    rng = random.Random(1)
    for retries_done, bound in enumerate([0.025, 0.05, 0.1, 0.2, 0.25, 0.25]):
        waits = [POLICY.backoff_s(retries_done, rng) for _ in range(500)]
        assert 0 <= min(waits) < bound * 0.1
        assert bound * 0.9 < max(waits) <= bound
    linear = replace(POLICY, backoff_kind="linear")
    assert max(linear.backoff_s(2, rng) for _ in range(500)) <= 0.075


def spend(budget: RetryBudget, policy: RetryPolicy, *, now: float) -> int:
    spent = 0
    while spent < 100_000 and budget.take(policy, now=now):
        spent += 1
    return spent


def test_a_share_of_the_requests_may_be_retried() -> None:
    policy = replace(POLICY, min_retries_per_s=0.0)
    budget = RetryBudget(now=0.0)
    budget.requests = 1000
    assert spend(budget, policy, now=1.0) == 200


def test_a_few_a_second_may_always_be_retried() -> None:
    budget = RetryBudget(now=0.0)
    assert spend(budget, POLICY, now=0.0) == 10
    for second in range(1, 60):
        assert 8 <= spend(budget, POLICY, now=float(second)) <= 10
        assert spend(budget, POLICY, now=float(second)) == 0


def test_the_first_request_of_all_may_be_retried() -> None:
    assert RetryBudget(now=5.0).take(POLICY, now=5.0)


def test_old_requests_earn_nothing() -> None:
    policy = replace(POLICY, min_retries_per_s=0.0)
    budget = RetryBudget(now=0.0)
    budget.requests = 1000
    assert budget.take(policy, now=0.0)
    assert spend(budget, policy, now=120.0) == 0


def test_the_budget_does_not_add_up_without_end() -> None:
    assert spend(RetryBudget(now=0.0), POLICY, now=100_000.0) <= 100
