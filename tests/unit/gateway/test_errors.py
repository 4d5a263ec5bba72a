"""Every error knows its status and its token."""

from __future__ import annotations

import pytest

from gateway.errors import AnswerRefused, AnswerTimeout, ConnectFailed, ConnectionLost, GatewayError, RequestRefused


@pytest.mark.parametrize(
    ("error", "status", "token"),
    [
        (RequestRefused("x"), 400, "http_request_error"),
        (ConnectFailed("x"), 502, "destination_unavailable"),
        (ConnectFailed("x", refused=True), 502, "connection_refused"),
        (ConnectFailed("x", timed_out=True), 504, "connection_timeout"),
        (ConnectionLost("x"), 502, "connection_terminated"),
        (AnswerTimeout("x"), 504, "http_response_timeout"),
        (AnswerRefused("x"), 502, "http_protocol_error"),
    ],
)
def test_an_error_carries_the_answer_to_its_sender(error: GatewayError, status: int, token: str) -> None:
    assert (error.status, error.proxy_status, str(error)) == (status, token, "x")
