"""What pages of other origins are told."""

from __future__ import annotations

from typing import Any

import pytest

from config.models.shaping import Cors
from gateway.core.cors import CorsRules, Preflight, cors_rules, preflight_of, serialised
from gateway.core.decision import Refusal, decide
from gateway.core.head import RequestHead, parse_request_head
from gateway.core.snapshot import Forward
from tests.harness.routing import routed, snapshot

APP = "https://app.example.com"


def rules(**fields: Any) -> CorsRules:
    return cors_rules(Cors.model_validate({"allowed_origins": (APP,), **fields}))


def asking(origin: str = APP, method: str = "GET", headers: str = "", path: str = "/") -> RequestHead:
    lines = [f"Origin: {origin}", f"Access-Control-Request-Method: {method}"]
    lines += [f"Access-Control-Request-Headers: {headers}"] if headers else []
    return parse_request_head("\r\n".join([f"OPTIONS {path} HTTP/1.1", "Host: h", *lines, "", ""]).encode())


def preflight(head: RequestHead) -> Preflight:
    found = preflight_of(head)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://App.example.com/", b"https://app.example.com"),
        ("https://a.example:443", b"https://a.example"),
        ("http://a.example:80/", b"http://a.example"),
        ("http://a.example:8080", b"http://a.example:8080"),
        ("https://[::1]:8443", b"https://[::1]:8443"),
    ],
)
def test_an_origin_is_compared_as_browsers_write_it(written: str, sent: bytes) -> None:
    assert serialised(written) == sent


@pytest.mark.parametrize("twice", ["Origin: https://b.example", "Access-Control-Request-Method: PUT"])
def test_what_says_it_twice_is_no_preflight(twice: str) -> None:
    raw = f"OPTIONS / HTTP/1.1\r\nHost: h\r\nOrigin: {APP}\r\nAccess-Control-Request-Method: GET\r\n{twice}\r\n\r\n"
    assert preflight_of(parse_request_head(raw.encode())) is None


def test_every_origin_without_credentials_is_a_star_and_needs_no_vary() -> None:
    star = rules(allowed_origins=("*",))
    assert star.lines(b"https://x.example") == (b"Access-Control-Allow-Origin: *",)
    assert star.lines(None) == ()


def test_any_header_is_allowed_by_naming_those_that_were_asked_for() -> None:
    answer = rules(allowed_headers=("*",)).preflight(preflight(asking(headers="X-B,x-a")))
    assert answer.status == 204
    assert b"Access-Control-Allow-Headers: x-a, x-b" in answer.fields


def test_no_header_asked_for_can_end_the_line() -> None:
    answer = rules(allowed_headers=("*",)).preflight(preflight(asking(headers="x\ty")))
    assert (answer.status, answer.reason) == (403, "cors_header_denied")


def test_too_many_headers_are_denied_not_copied() -> None:
    answer = rules(allowed_headers=("*",)).preflight(preflight(asking(headers=",".join(f"a{n}" for n in range(200)))))
    assert answer.status == 403


def test_a_preflight_finds_the_route_of_the_method_that_it_asks_about() -> None:
    cors = {"allowed_origins": [APP], "allowed_methods": ["GET", "PUT"], "allowed_headers": ["X-Key"]}
    other = {"allowed_origins": ["https://other.example"]}
    view = snapshot(
        routed(id="reads", match={"methods": ["GET"]}, cors=other),
        routed(id="writes", match={"methods": ["PUT"], "headers": {"X-Key": "*"}}, cors=cors),
        routed(id="rest"),
    )

    def ask(head: RequestHead) -> Forward | Refusal:
        return decide(view, head, "public", lambda: None)

    put = ask(asking(method="PUT", headers="x-key"))
    assert isinstance(put, Refusal)
    assert put.route is not None
    assert (put.route.id, put.answer.status, put.is_preflight) == ("writes", 204, True)
    get = ask(asking(method="GET"))
    assert isinstance(get, Refusal)
    assert (get.answer.status, get.answer.reason) == (403, "cors_origin_denied")
    assert isinstance(ask(asking(method="DELETE")), Forward)  # a route without cors: its endpoint's own business
