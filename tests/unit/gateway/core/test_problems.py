"""Answers that we make ourselves."""

from __future__ import annotations

import json
from typing import Any

from gateway.core.problems import Answer, answer_to, problem_response
from gateway.errors import RequestRefused


def response(
    *, node_id: str = "gw-1", close: bool = False, head_only: bool = False, **changes: Any
) -> tuple[bytes, dict[bytes, bytes], bytes]:
    values: dict[str, Any] = {
        "status": 503,
        "reason": "no_healthy_endpoint",
        "detail": "nobody is there",
        "proxy_status": "destination_unavailable",
    }
    answer = Answer(**{**values, **changes})
    raw = problem_response(answer, node_id=node_id, request_id=b"id-7", close=close, head_only=head_only)
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    return line, dict(field.split(b": ", 1) for field in fields), body


def test_it_is_a_problem_document_with_its_proxy_status() -> None:
    line, fields, body = response(rule="profile", retry_after_s=5)
    assert line == b"HTTP/1.1 503 Service Unavailable"
    assert fields[b"Content-Type"] == b"application/problem+json"
    assert fields[b"Proxy-Status"] == b"gw-1; error=destination_unavailable"
    assert fields[b"Retry-After"] == b"5"
    assert int(fields[b"Content-Length"]) == len(body)
    assert json.loads(body) == {
        "type": "urn:tidegate:problem:no-healthy-endpoint",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "nobody is there",
        "instance": "id-7",
        "reason": "no_healthy_endpoint",
        "rule": "profile",
        "retry_after_s": 5,
    }


def test_what_does_not_apply_is_left_out() -> None:
    _, fields, body = response(proxy_status="")
    assert not {b"Proxy-Status", b"Retry-After", b"Allow", b"Location", b"Connection"} & set(fields)
    assert not {"rule", "retry_after_s"} & set(json.loads(body))


def test_allow_location_and_close_are_said() -> None:
    _, fields, _ = response(status=405, allow=("GET", "PUT"), location=b"https://b/x", close=True)
    assert (fields[b"Allow"], fields[b"Location"], fields[b"Connection"]) == (b"GET, PUT", b"https://b/x", b"close")


def test_head_gets_the_length_but_not_the_body() -> None:
    _, fields, body = response(head_only=True)
    assert int(fields[b"Content-Length"]) > 0
    assert body == b""


def test_a_node_id_that_is_no_token_is_quoted() -> None:
    assert response(node_id="1.node")[1][b"Proxy-Status"].startswith(b'"1.node"; error=')
    assert response(node_id='a"b')[1][b"Proxy-Status"].startswith(b'"a\\"b"; error=')


def test_an_error_becomes_the_answer_to_its_sender() -> None:
    answer = answer_to(RequestRefused("a sentence", status=431, reason="too_many_headers"))
    assert (answer.status, answer.reason, answer.detail) == (431, "too_many_headers", "a sentence")
    assert answer.allow == ()
    assert "GET" in answer_to(RequestRefused("x", status=405, reason="method_forbidden")).allow


def test_what_is_no_problem_is_written_as_it_is() -> None:
    plain = Answer(200, "discovery", "", "", fields=(b"Content-Type: application/json",), body=b"{}")
    written = problem_response(plain, node_id="n", request_id=b"1", close=True)
    assert written == (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Request-Id: 1\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\n\r\n{}"
    )
    assert problem_response(plain, node_id="n", request_id=b"1", head_only=True).endswith(b"json\r\n\r\n")
