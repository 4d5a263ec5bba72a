"""Reports of all data planes, merged."""

from __future__ import annotations

import pytest

from gateway.messages import DURATION_BUCKETS_S, EndpointCount, MirrorCount, Report, RouteCount, SessionCount
from tidegate.node.totals import MAX_EXPLANATIONS, Answered, Totals

BUCKETS = len(DURATION_BUCKETS_S) + 1


def report(*routes: RouteCount, endpoints: tuple[EndpointCount, ...] = ()) -> Report:
    return Report(1, 0, 0, list(routes), list(endpoints))


def count(route: str = "api", status: int = 200, number: int = 1) -> RouteCount:
    return RouteCount(route, "eu", status, "", number, 0.5 * number, [number] + [0] * (BUCKETS - 1))


def test_counts_of_several_reports_add_up() -> None:
    totals = Totals()
    totals.add(report(count(number=2), count(status=503)))
    totals.add(report(count(number=3)))
    assert totals.requests == {Answered("api", "eu", 200, ""): 5, Answered("api", "eu", 503, ""): 1}
    durations = totals.durations["api", "eu"]
    assert (durations.buckets[0], durations.total_s) == (6, 3.0)


def test_endpoints_add_up_and_are_forgotten_with_the_configuration() -> None:
    totals = Totals()
    for _ in range(2):
        totals.add(report(endpoints=(EndpointCount("a", 3, 1, 1, 9), EndpointCount("b", 1, 0, 0, 0))))
    learnt = totals.endpoints["a"]
    assert (learnt.attempts, learnt.connect_failures, learnt.failures) == (6, 2, 2)
    totals.keep_endpoints({"b"})
    assert list(totals.endpoints) == ["b"]


def test_copies_add_up_by_what_became_of_them() -> None:
    totals = Totals()
    for outcome in ("2xx", "2xx", "reset"):
        totals.add(Report(1, 0, 0, [], [], mirrors=[MirrorCount("r", "shadow", outcome, 2)]))
    assert totals.mirrors == {("r", "shadow", "2xx"): 4, ("r", "shadow", "reset"): 2}


def test_lost_audit_records_dropped_spans_and_failed_conditions_add_up() -> None:
    totals = Totals()
    for _ in range(2):
        totals.add(Report(1, 0, 0, [], [], failed_conditions={"api/0": 3}, audit_lost=2, spans_dropped=7))
    assert (totals.failed_conditions, totals.audit_lost, totals.spans_dropped) == ({"api/0": 6}, 4, 14)


def test_the_latest_explanations_are_kept() -> None:
    totals = Totals()
    for number in range(MAX_EXPLANATIONS + 1):
        totals.add(Report(1, 0, 0, [], [], explanations=[{"id": f"e-{number}"}], debug_refused=1))
    assert len(totals.explanations) == MAX_EXPLANATIONS
    assert "e-0" not in totals.explanations
    assert totals.debug_refused == MAX_EXPLANATIONS + 1


def test_series_are_bounded_and_nothing_is_lost_beyond() -> None:
    totals = Totals(max_series=3)
    totals.add(report(*(count(route=f"r{number}", status=404) for number in range(10))))
    assert len(totals.requests) == 4
    assert totals.requests[Answered("other", "other", 400, "other")] == 7
    assert sum(totals.requests.values()) == 10


def test_a_report_with_other_buckets_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Totals().add(report(RouteCount("api", "eu", 200, "", 1, 0.1, [1])))


def test_what_became_of_sessions_adds_up() -> None:
    totals = Totals()
    for _ in range(2):
        told = SessionCount("api", "session_moved", "probe_down", 3)
        totals.add(Report(1, 0, 0, [], [], session_counts=[told]))
    assert totals.sessions == {("api", "session_moved", "probe_down"): 6}
