"""One line of the access log."""

from __future__ import annotations

import json

from gateway.proxy.outcome import Outcome, access_line


def line(**changes: object) -> dict[str, object]:
    outcome = Outcome(
        listener="public",
        client_ip="192.0.2.1",
        request_id=b"id-1",
        method="GET",
        host="h",
        path=b"/a",
        status=200,
        reason="",
        detail="",
        route="r",
        started_at=0.0,
    )
    for name, value in changes.items():
        setattr(outcome, name, value)
    raw = access_line(outcome, node_id="gw", stamp="2026-01-01T00:00:00.000Z", duration_s=0.0123456)
    assert raw.endswith(b"}\n")
    assert raw.count(b"\n") == 1
    document: dict[str, object] = json.loads(raw)
    return document


def test_a_plain_request_is_one_short_line() -> None:
    assert line(region="eu", endpoint="api/eu/a:1", attempts=1, bytes_out=5) == {
        "time": "2026-01-01T00:00:00.000Z",
        "node": "gw",
        "listener": "public",
        "client": "192.0.2.1",
        "request_id": "id-1",
        "method": "GET",
        "host": "h",
        "path": "/a",
        "status": 200,
        "duration_ms": 12.346,
        "route": "r",
        "region": "eu",
        "endpoint": "api/eu/a:1",
        "attempts": 1,
        "bytes_out": 5,
    }


def test_failed_attempts_and_passed_over_candidates_are_named() -> None:
    document = line(failures=(("a", "connection refused"),), passed_over=(("eu", "a", "probe_down"),))
    assert document["failures"] == [{"endpoint": "a", "failure": "connection refused"}]
    assert document["passed_over"] == [{"region": "eu", "endpoint": "a", "reason": "probe_down"}]


def test_hostile_bytes_make_no_second_line() -> None:
    assert line(path=b"/\xff\n{}", detail='a\n"b')["path"] == "/\\xff\n{}"
