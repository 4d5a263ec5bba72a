"""The head that an endpoint gets is a copy: the client's stays what it was."""

from __future__ import annotations

import json
from typing import Any

from config.models import Route
from gateway.core.head import RequestHead, parse_request_head
from gateway.core.outgoing import RequestRules, copied, request_rules


def rules(**fields: Any) -> RequestRules | None:
    return request_rules(Route.model_validate_json(json.dumps({"id": "r", "service": "api", **fields})))


def test_a_route_that_asks_for_nothing_has_no_rules() -> None:
    assert rules() is None
    assert rules(rewrite={"host": None, "path": None}, request_headers={"set": {}}) is None


def test_a_copy_has_every_fact_of_the_head() -> None:
    head = parse_request_head(b"POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nVia: 1.1 x\r\n\r\n")
    copy = copied(head)
    for name in RequestHead.__annotations__:
        assert getattr(copy, name) == getattr(head, name), name


def test_the_clients_head_is_left_alone() -> None:
    rule = rules(
        rewrite={"path": {"pattern": "^/a$", "replacement": "/b"}, "host": "inner"},
        request_headers={"set": {"X-A": "1"}},
        buffer_request=True,
    )
    assert rule is not None
    head = parse_request_head(
        b"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\nX-A: 0\r\n\r\n"
    )
    before = {name: getattr(head, name) for name in RequestHead.__annotations__}
    sent = rule.apply(head)
    assert {name: getattr(head, name) for name in RequestHead.__annotations__} == before
    assert (sent.path, sent.host, sent.expects_continue) == (b"/b", "h", False)
    assert sent.forwarded_fields == b"Content-Length: 3\r\nHost: inner\r\nX-A: 1\r\n"


def test_a_body_to_be_replaced_in_is_asked_for_whole_and_plain() -> None:
    rule = rules(response_body={"content_types": ["text/html"], "replace": [{"pattern": "a", "replacement": "b"}]})
    assert rule is not None
    head = parse_request_head(
        b"GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: br\r\nRange: bytes=0-\r\nIf-Range: x\r\n\r\n"
    )
    assert rule.apply(head).forwarded_fields == b"Host: h\r\nAccept-Encoding: identity\r\n"
