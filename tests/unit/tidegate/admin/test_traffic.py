"""Counters by route and region, from what data planes reported."""

from __future__ import annotations

from gateway.messages import DURATION_BUCKETS_S, Report, RouteCount
from tests.harness.control import House
from tidegate.admin.traffic import traffic

BUCKETS = len(DURATION_BUCKETS_S) + 1


def count(status: int, reason: str, number: int) -> RouteCount:
    return RouteCount("api", "eu", status, reason, number, 0.5 * number, [number] + [0] * (BUCKETS - 1))


async def test_errors_and_what_a_rule_refused_are_told_apart(house: House) -> None:
    control = house.control()
    assert traffic(control)["routes"] == []
    counts = [count(200, "", 7), count(502, "connection_refused", 2), count(429, "rate_limited", 3), count(404, "", 1)]
    control.totals.add(Report(1, 0, 0, counts, []))
    told = traffic(control)
    (row,) = told["routes"]
    assert (row["route"], row["region"]) == ("api", "eu")
    assert (row["requests"], row["errors"], row["refused"], row["total_s"]) == (13, 2, 3, 6.5)
    assert row["buckets"] == [13] + [0] * (BUCKETS - 1)
    assert len(told["bounds_s"]) == BUCKETS - 1
    assert told["run"] == control.run
