"""What a request is told for which there is no room."""

from __future__ import annotations

from gateway.core.bulkhead import Bulkhead
from gateway.core.crowding import no_room, no_turn
from tests.unit.gateway.proxy.test_lane import plan


def test_the_answer_says_what_lacks() -> None:
    service = plan(max_requests=2, max_connections=3, max_pending=4)
    bulkhead: Bulkhead[str] = Bulkhead(limit=2, max_connections=3, max_pending=4)
    full = no_room(service, bulkhead)
    assert (full.status, full.reason, full.proxy_status) == (503, "upstream_pending_limit", "connection_limit_reached")
    assert full.retry_after_s == 1
    assert full.detail == "4 requests already wait for service api: 2 of its requests may be under way at a time"
    bulkhead.in_use = 3
    late = no_turn(service, bulkhead)
    assert (late.status, late.reason) == (503, "pending_timeout")
    assert late.detail == "no turn at service api within 1 s: all 3 connections that it may have are in use"
