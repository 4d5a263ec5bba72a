"""Every part of a route's shaping is told, with what it would do to this request."""

from __future__ import annotations

from typing import Any

from gateway.core.explain import explain
from tests.harness.routing import routed, snapshot

SERVICES = [
    {"id": name, "endpoints": [{"region": "eu", "address": f"{name}:80"}]} for name in ("api", "shadow", "canary")
]


def told(route: dict[str, Any], *headers: tuple[str, str], url: str = "http://h/v1/a?b=1", method: str = "GET") -> Any:
    return explain(
        snapshot(route, services=SERVICES),
        method=method,
        url=url,
        headers=headers,
        client_ip="10.0.0.1",
        country=lambda ip: None,
    )


def lines(explanation: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {line["name"]: (line["outcome"], line["reason"]) for line in explanation["policies"]}


def test_a_route_that_asks_for_nothing_tells_nothing() -> None:
    assert [line["name"] for line in told(routed())["policies"]] == [
        "residency",
        "region_routing",
        "load_balancing",
        "concurrency",
        "retries",
    ]


def test_all_of_it_is_told() -> None:
    route = routed(
        rewrite={"path": {"pattern": "^/v1/(.*)$", "replacement": "/\\1"}, "host": "inner"},
        request_headers={"set": {"X-A": "1"}, "remove": ["X-B"]},
        response_headers={"append": {"X-C": "1"}},
        response_body={"content_types": ["text/html"], "replace": [{"pattern": "a", "replacement": "b"}]},
        cors={"allowed_origins": ["https://a.example"]},
        compression={},
        limits={"max_request": "1KiB", "max_response": "2KiB"},
        mirror={"service": "shadow", "percent": "1%"},
        buffer_request=True,
    )
    found = lines(told(route, ("Origin", "https://a.example"), ("Accept-Encoding", "br")))
    assert found["rewrite"] == ("/a?b=1", "by ^/v1/(.*)$")
    assert found["rewrite host"] == ("inner", "in place of the client's")
    assert found["request_headers"][0] == "X-A, Accept-Encoding"
    assert found["response_headers"][0] == "X-C"
    assert found["response_body"] == ("1 replacements", "in text/html")
    assert found["cors"] == ("allowed", "https://a.example")
    assert found["compression"] == ("br", "as the client accepts it")
    assert found["mirror"] == ("shadow", "a copy of 1.00% of requests, to shadow/eu/shadow:80")
    assert found["buffer_request"][0] == "whole"


def test_a_redirect_is_the_decision() -> None:
    explanation = told({"id": "old", "redirect": {"to": "https://n.example${path}"}})
    assert explanation["decision"]["status"] == 308
    assert lines(explanation)["redirect"] == ("308", "to https://n.example/v1/a?b=1")


def test_a_split_tells_whom_it_chose_and_why() -> None:
    route = {"id": "r", "split": [{"service": "api", "weight": 0}, {"service": "canary", "weight": 1}]}
    explanation = told({**route, "sticky_split": "cookie"})
    assert lines(explanation)["split"] == ("canary", "by this client's place among the weights")
    assert explanation["decision"]["endpoint"] == "canary/eu/canary:80"
    unread = told({**route, "sticky_split": "cookie"}, ("Cookie", "tidegate_split_r=x"))
    assert lines(unread)["split"][1] == "its cookie cannot be read without the node's keys"


def test_a_preflight_is_the_decision() -> None:
    route = routed(cors={"allowed_origins": ["https://a.example"]})
    asked = (("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET"))
    assert told(route, *asked, method="OPTIONS")["decision"]["reason"] == "preflight"
