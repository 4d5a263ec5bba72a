"""Every mistake in what a route does on the way is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(route="rate_limit: [{key: [user], rate: 1/s}]"),
            [
                (
                    't.yaml:10:25 routes[0].rate_limit[0].key[0]: found "user", expected ip, method, route, service, '
                    "header:X, cookie:X or jwt:claim"
                ),
            ],
            id="a limit by nothing known",
        ),
        pytest.param(
            file(route="rate_limit: [{key: [ip]}]"),
            [
                (
                    "t.yaml:10:18 routes[0].rate_limit[0].rate: found nothing, expected a value for rate, "
                    "which is required (how many over time)"
                ),
            ],
            id="a limit without a rate",
        ),
        pytest.param(
            file(route="rate_limit: {key: [ip], rate: 1/s}"),
            [
                "t.yaml:10:17 routes[0].rate_limit: found a mapping, expected a list",
            ],
            id="a limit outside of a list",
        ),
        pytest.param(
            file(route="rate_limit: [{key: [ip], rate: 1/s, scope: world}]"),
            [
                ('t.yaml:10:48 routes[0].rate_limit[0].scope: found "world", expected one of node, region, global'),
            ],
            id="an unknown scope",
        ),
        pytest.param(
            file(route='rewrite: {path: {pattern: "(", replacement: ""}}'),
            [
                (
                    't.yaml:10:31 routes[0].rewrite.path.pattern: found "(" (missing ), unterminated '
                    "subpattern at position 0), expected a regular expression"
                ),
            ],
            id="a pattern that is none",
        ),
        pytest.param(
            file(route='request_headers: {set: {X-A: "a\\r\\nX-B: b"}}'),
            [
                (
                    't.yaml:10:34 routes[0].request_headers.set.X-A: found "a\\r\\nX-B: b", expected a '
                    "header's value: printable ASCII, one line"
                ),
            ],
            id="a header value with a line break",
        ),
        pytest.param(
            file(route='request_headers: {set: {"X-A:": b}}'),
            [
                (
                    't.yaml:10:29 routes[0].request_headers.set["X-A:"]: found the key "X-A:", expected a '
                    "header's name, such as X-Preferred-Region"
                ),
            ],
            id="a header name with a colon",
        ),
        pytest.param(
            file(route="request_headers: {set: {X-A: 5}}"),
            [
                "t.yaml:10:34 routes[0].request_headers.set.X-A: found 5, expected text",
            ],
            id="a header value that is a number",
        ),
        pytest.param(
            file(route="compression: {encodings: [deflate]}"),
            [
                ('t.yaml:10:31 routes[0].compression.encodings[0]: found "deflate", expected one of zstd, br, gzip'),
            ],
            id="an unknown encoding",
        ),
        pytest.param(
            file(route="cors: {allowed_origins: [https://a.example/app]}"),
            [
                (
                    't.yaml:10:30 routes[0].cors.allowed_origins[0]: found "https://a.example/app", expected '
                    "a URL that starts with http:// or https://, such as https://gw1.example.com, without a "
                    "path, or *"
                ),
            ],
            id="an origin with a path",
        ),
        pytest.param(
            file(route="mirror: {service: api, percent: 1}"),
            [
                (
                    "t.yaml:10:37 routes[0].mirror.percent: found 1 without a unit, expected a share in per "
                    "cent, such as 20%"
                ),
            ],
            id="a share of copies without a sign",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_a_limit_counts_on_the_node_and_rejects() -> None:
    limit = accepted(file(route="rate_limit: [{key: [ip, 'jwt:tenant'], rate: 6000/m}]")).routes[0].rate_limit[0]
    assert (limit.rate, limit.burst, limit.scope, limit.on_exceed) == (100.0, None, "node", "reject")


def test_a_pattern_too_long_to_read_is_refused() -> None:
    text = file(route=f"rewrite: {{path: {{pattern: {'a' * 1001}, replacement: b}}}}")
    assert complaints(text) == [
        "t.yaml:10:31 routes[0].rewrite.path.pattern: found a pattern of 1001 characters, expected at most 1000"
    ]


def test_a_pattern_that_python_doubts_is_refused_or_taken_but_never_raises() -> None:
    complaints(file(route='rewrite: {path: {pattern: "[[a]", replacement: b}}'))


@pytest.mark.parametrize(
    ("route", "place", "found"),
    [
        ('rewrite: {path: {pattern: "(a+)+$", replacement: b}}', "rewrite.path.pattern", "in several ways"),
        ('rewrite: {path: {pattern: "^(.*)a(.*)b(.*)c$", replacement: b}}', "rewrite.path.pattern", "take too long"),
        (r'rewrite: {path: {pattern: "a(?=b)", replacement: b}}', "rewrite.path.pattern", "assert in a pattern"),
        (r'rewrite: {path: {pattern: "^/(a)", replacement: "\\2"}}', "rewrite.path.replacement", "group 2"),
        (r'rewrite: {path: {pattern: "^/", replacement: "/a\nb"}}', "rewrite.path.replacement", "in a replacement"),
        (r'rewrite: {path: {pattern: "^/", replacement: "/a\\r\\nb"}}', "rewrite.path.replacement", "in a replacement"),
        (r'rewrite: {path: {pattern: "^/", replacement: "/a b"}}', "rewrite.path.replacement", "in a replacement"),
        (r'rewrite: {path: {pattern: "^/", replacement: "/#"}}', "rewrite.path.replacement", "in a replacement"),
        ('rewrite: {host: "a b"}', "rewrite.host", "a b"),
        (r'response_headers: {append: {X-A: "b\0"}}', "response_headers.append.X-A", "b"),
        ("request_headers: {set: {Connection: close}}", "request_headers.set.Connection", "writes itself"),
        ("request_headers: {set: {host: a}}", "request_headers.set.host", "writes itself"),
        ("request_headers: {append: {X_Forwarded_For: a}}", "request_headers.append.X_Forwarded_For", "writes itself"),
        ("request_headers: {remove: [X-A, Transfer-Encoding]}", "request_headers.remove[1]", "writes itself"),
        ('response_headers: {set: {Content-Length: "5"}}', "response_headers.set.Content-Length", "writes itself"),
        ("response_headers: {remove: [Upgrade]}", "response_headers.remove[0]", "writes itself"),
        (
            'response_body: {content_types: [a/b], replace: [{pattern: "<a [^>]*>", replacement: b}]}',
            "response_body.replace[0].pattern",
            "over a body of 1048576 bytes",
        ),
        (
            r'response_body: {content_types: [a/b], replace: [{pattern: "a", replacement: "\\1"}]}',
            "response_body.replace[0].replacement",
            "group 1",
        ),
    ],
)
def test_what_could_split_a_message_or_hold_the_loop_is_refused_when_it_is_loaded(
    route: str, place: str, found: str
) -> None:
    said = complaints(file(route=route))
    assert len(said) == 1, said
    assert f" routes[0].{place}: found " in said[0]
    assert found in said[0]


def test_null_removes_a_header_and_survives_being_written_and_read() -> None:
    config = accepted(file(route="request_headers: {set: {X-A: null, X-B: b}}"))
    again = type(config).model_validate_json(config.model_dump_json())
    assert again.routes[0].request_headers.set == {"X-A": None, "X-B": "b"}
