"""What came of a request, in words."""

from __future__ import annotations

from chaos.traffic.sending import Got


def test_the_reason_is_the_problems_or_the_error_and_none_where_all_is_well() -> None:
    assert Got(503, {}, b'{"reason": "no_endpoint"}').reason == "no_endpoint"
    assert Got(None, error="TimeoutError").reason == "TimeoutError"
    assert Got(200, {}, b'{"reason": "none"}').reason is None
    assert Got(502, {}, b"<html>").reason is None
