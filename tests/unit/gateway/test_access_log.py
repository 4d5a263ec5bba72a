"""Lines of the access log, with clocks that stand where they are put."""

from __future__ import annotations

import json
from typing import Any

from gateway.access_log import AccessLog
from gateway.proxy.outcome import Outcome


def ended(started_at: float) -> Outcome:
    return Outcome(
        listener="public",
        client_ip="192.0.2.1",
        request_id=b"1",
        status=200,
        reason="",
        detail="",
        route="all",
        started_at=started_at,
    )


def test_each_line_has_its_own_time_of_day_and_duration() -> None:
    lines: list[dict[str, Any]] = []
    wall = [1_700_000_000.25, 1_700_000_000.75, 1_700_000_001.0, 1_699_999_999.5]
    now = iter([10.0, 10.5, 11.0, 11.5])
    log = AccessLog(
        lambda line: lines.append(json.loads(line)), node_id="gw", now=lambda: next(now), wall=lambda: wall[len(lines)]
    )
    for _ in wall:
        log.add(ended(9.0))
    assert [line["time"] for line in lines] == [
        "2023-11-14T22:13:20.250Z",
        "2023-11-14T22:13:20.750Z",
        "2023-11-14T22:13:21.000Z",
        "2023-11-14T22:13:19.500Z",
    ]
    assert [line["duration_ms"] for line in lines] == [1000.0, 1500.0, 2000.0, 2500.0]
    assert {line["node"] for line in lines} == {"gw"}
