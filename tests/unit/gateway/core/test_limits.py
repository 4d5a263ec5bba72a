"""What a limit is, and what a client over it is told."""

from __future__ import annotations

import json

from config.models.shaping import RateLimit
from gateway.core.limits import QUEUE_S, limit_plans, over_limit, quota_of


def plan(**fields: object) -> RateLimit:
    return RateLimit.model_validate_json(json.dumps({"key": ["ip"], "rate": "10/s", **fields}))


def test_each_limit_has_a_name_a_prefix_and_a_longest_wait() -> None:
    first, second, third = limit_plans(
        "r", [plan(), plan(on_exceed="delay", max_delay="250ms"), plan(on_exceed="queue", burst=3)]
    )
    assert [one.id for one in (first, second, third)] == ["r-1", "r-2", "r-3"]
    assert len({one.prefix for one in (first, second, third)}) == 3
    assert [one.max_wait_s for one in (first, second, third)] == [0.0, 0.25, QUEUE_S]
    assert (first.quota.burst, third.quota.burst) == (10, 3)


def test_a_refusal_says_when_to_come_back_and_by_which_policy() -> None:
    (limit,) = limit_plans("r", [plan(burst=20)])
    answer = over_limit(limit, 1.2)
    assert (answer.status, answer.reason, answer.rule, answer.retry_after_s) == (429, "rate_limited", "r-1", 2)
    assert answer.fields == (b'RateLimit-Policy: "r-1";q=20;w=2', b'RateLimit: "r-1";r=0;t=2')
    assert over_limit(limit, 0.001).retry_after_s == 1
    assert over_limit(limit, 1.2, queue_full=True).reason == "queue_full"


def test_a_burst_of_nodes_that_count_together_lasts_as_long_as_a_few_questions() -> None:
    assert quota_of(1000.0, 1, "node").burst == 1
    assert quota_of(1000.0, 1, "global").burst == 50
    assert quota_of(1000.0, 200, "region").burst == 200
    assert quota_of(1.0, None, "global").burst == 1
