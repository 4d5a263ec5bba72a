from __future__ import annotations

import pytest

from sync.api.problems import Problem, of_error, of_refusal
from sync.core.writes import Refusal
from sync.errors import CursorExpired, StoreFull, StoreUnavailable, SyncError, UnknownStream


def test_a_problem_has_the_shape_of_the_gateways() -> None:
    document = Problem(503, "behind_session", "not yet", retry_after_s=1).document("id-1")
    assert document == {
        "type": "urn:tidegate:problem:behind-session",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "not yet",
        "reason": "behind_session",
        "instance": "id-1",
        "retry_after_s": 1,
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StoreFull("x"), 507),
        (StoreUnavailable("x"), 503),
        (CursorExpired("x"), 410),
        (UnknownStream("x"), 404),
        (SyncError("x"), 500),
    ],
)
def test_the_stores_troubles_have_a_status_each(error: SyncError, status: int) -> None:
    assert of_error(error).status == status


def test_a_refusal_keeps_its_words_and_only_a_passing_one_asks_to_come_again() -> None:
    assert of_refusal(Refusal(412, "precondition_failed", "x")).retry_after_s is None
    problem = of_refusal(Refusal(503, "clock_behind", "x"))
    assert (problem.reason, problem.detail, problem.retry_after_s) == ("clock_behind", "x", 1)
