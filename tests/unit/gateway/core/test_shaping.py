"""A route's shaping: nothing for a route that asks for nothing, and what the gateway's own answers get of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from config.models import Route
from gateway.core.head import parse_request_head
from gateway.core.problems import Answer
from gateway.core.shaping import BUFFER_BYTES, Shaping, shaping_of


def shaping(**fields: Any) -> Shaping | None:
    return shaping_of(Route.model_validate_json(json.dumps({"id": "r", "service": "api", **fields})))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"mirror": {"service": "x", "percent": "0%"}, "limits": {}, "rewrite": {}},
        {"request_headers": {}, "response_headers": {"set": {}}, "buffer_request": False},
    ],
)
def test_what_asks_for_nothing_is_nothing(fields: dict[str, Any]) -> None:
    assert shaping(**fields) is None


def test_the_smaller_limit_counts_and_a_buffer_always_has_one() -> None:
    limited, buffered = shaping(limits={"max_request": "1KiB"}), shaping(buffer_request=True)
    assert limited is not None
    assert buffered is not None
    assert [limited.body_limit(bound) for bound in (None, 100, 9999)] == [1024, 100, 1024]
    assert [buffered.body_limit(bound) for bound in (None, 100, BUFFER_BYTES + 1)] == [BUFFER_BYTES, 100, BUFFER_BYTES]
    assert buffered.refuses_size("r", BUFFER_BYTES + 1) is not None
    roomy = shaping(buffer_request=True, limits={"max_request": "32MiB"})
    assert roomy is not None
    assert roomy.body_limit(None) == 32 << 20
    assert limited.refuses_size("r", 1024) is None
    assert limited.refuses_size("r", -1) is None
    refused = limited.refuses_size("r", 1025)
    assert refused is not None
    assert (refused.status, refused.reason) == (413, "body_too_large")


def test_the_gateways_own_answers_keep_what_they_say_themselves() -> None:
    found = shaping(
        response_headers={"set": {"X-A": "1", "Content-Type": "x", "Retry-After": "9"}, "append": {"X-B": "2"}},
        cors={"allowed_origins": ["https://a.example"]},
    )
    assert found is not None
    answer = Answer(503, "no_route", "x", "", fields=(b"RateLimit: 1",))
    page = parse_request_head(b"GET / HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\n\r\n")
    assert found.decorate(answer, page).fields == (
        b"RateLimit: 1",
        b"Access-Control-Allow-Origin: https://a.example",
        b"Vary: Origin",
        b"X-A: 1",
        b"X-B: 2",
    )
