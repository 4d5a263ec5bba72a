"""Which bodies are replaced in, and by what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from config.models.shaping import ResponseBody
from gateway.core.body_rules import BodyRules, body_rules
from gateway.core.header_rules import facts_of
from gateway.core.response import parse_response_head


def rules(*replace: tuple[str, str], **fields: Any) -> BodyRules:
    entries = [{"pattern": pattern, "replacement": text} for pattern, text in replace or (("a", "b"),)]
    written = {"content_types": ["text/html", "application/*"], "replace": entries, **fields}
    found = body_rules(ResponseBody.model_validate_json(json.dumps(written)))
    assert found is not None
    return found


def test_a_route_without_has_none() -> None:
    assert body_rules(None) is None


def test_replacements_are_made_in_order_with_their_groups() -> None:
    rule = rules(("http://([a-z]{1,20})", r"https://\1"), ("https://a", "https://b"), ("é", "e"))
    assert rule.apply("http://a http://c é".encode()) == b"https://b https://c e"


@pytest.mark.parametrize(
    ("lines", "status", "wanted"),
    [
        ("Content-Type: text/HTML; charset=x\r\nContent-Length: 5", 200, True),
        ("Content-Type: application/json\r\nContent-Length: 5", 404, True),
        ("Content-Type: text/html\r\nTransfer-Encoding: chunked", 200, True),
        ("Content-Type: text/html\r\nContent-Length: 101", 200, False),
        ("Content-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: 5", 200, False),
        ("Content-Type: text/plain\r\nContent-Length: 5", 200, False),
        ("Content-Length: 5", 200, False),
        ("Content-Type: text/html\r\nContent-Length: 5", 206, False),
        ("Content-Type: text/html", 304, False),
    ],
)
def test_only_bodies_of_its_types_whole_plain_and_small(lines: str, status: int, wanted: bool) -> None:
    head = parse_response_head(f"HTTP/1.1 {status} X\r\n{lines}\r\n\r\n".encode(), method="GET")
    assert rules(max_size="100B").wants(head, facts_of(head.forwarded_fields)) is wanted
