"""`GET /v1/traffic`: what this node's data planes have counted since it started, for who computes rates from two looks.

Counters, as in /metrics, but as JSON and a route and region a row: the dashboard needs no reader of Prometheus' format,
and works where metrics are off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.messages import DURATION_BUCKETS_S

if TYPE_CHECKING:
    from tidegate.node.control import Control

SERVER_ERROR = 500


def traffic(control: Control) -> dict[str, Any]:
    """`at` in Unix seconds; `run` changes when the counters begin anew; `buckets` one longer than `bounds_s`.

    errors: answers of 500 and above; refused: others that the gateway made itself, by a rule.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {
        (route, region): {
            "route": route,
            "region": region,
            "requests": 0,
            "errors": 0,
            "refused": 0,
            "total_s": durations.total_s,
            "buckets": list(durations.buckets),
        }
        for (route, region), durations in control.totals.durations.items()
    }
    for answered, count in control.totals.requests.items():
        row = rows[answered.route, answered.region]
        row["requests"] += count
        if answered.status >= SERVER_ERROR:
            row["errors"] += count
        elif answered.reason:  # the gateway's own answer: access, limits, residency, a malformed request
            row["refused"] += count
    return {
        "node": control.plan.node_id,
        "run": control.run,
        "at": control.wall(),
        "bounds_s": list(DURATION_BUCKETS_S),
        "routes": list(rows.values()),
    }
