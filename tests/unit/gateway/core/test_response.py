"""Every rule of gateway/core/response.py, on bytes."""

from __future__ import annotations

import pytest

from gateway.core.head import CHUNKED
from gateway.core.response import UNTIL_CLOSE, ResponseHead, parse_response_head, status_line
from gateway.errors import AnswerRefused


def parse(*lines: str, method: str = "GET") -> ResponseHead:
    return parse_response_head("\r\n".join((*lines, "", "")).encode("latin-1"), method=method)


def test_a_plain_answer_is_read() -> None:
    head = parse("HTTP/1.1 200 OK", "Content-Type: text/plain", "Content-Length: 5")
    assert (head.status, head.body_length, head.keep_alive) == (200, 5, True)
    assert head.forwarded_fields == b"Content-Type: text/plain\r\nContent-Length: 5\r\n"


def test_hop_by_hop_fields_and_the_framing_are_not_forwarded() -> None:
    head = parse(
        "HTTP/1.1 200 OK",
        "A: 1",
        "Connection: keep-alive",
        "Keep-Alive: timeout=5",
        "Transfer-Encoding: chunked",
        "Trailer: X",
        "Proxy-Authenticate: Basic",
        "X-Request-Id: theirs",
        "Set-Cookie: a=1",
        "Set-Cookie: b=2",
    )
    assert head.forwarded_fields == b"A: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
    assert head.body_length == CHUNKED


@pytest.mark.parametrize(
    ("lines", "method", "length"),
    [
        (("HTTP/1.1 200 OK", "Content-Length: 5"), "HEAD", 0),
        (("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), "HEAD", 0),
        (("HTTP/1.1 304 Not Modified", "Content-Length: 5"), "GET", 0),
        (("HTTP/1.1 204 No Content",), "GET", 0),
        (("HTTP/1.1 103 Early Hints", "Link: </a>"), "GET", 0),
        (("HTTP/1.1 200 OK",), "GET", UNTIL_CLOSE),
    ],
)
def test_where_the_body_ends_depends_on_status_and_method(lines: tuple[str, ...], method: str, length: int) -> None:
    assert parse(*lines, method=method).body_length == length


def test_the_length_that_a_get_would_have_had_is_kept_for_head() -> None:
    assert parse("HTTP/1.1 200 OK", "Content-Length: 5", method="HEAD").forwarded_fields == b"Content-Length: 5\r\n"


def test_an_answer_until_close_is_not_reused() -> None:
    assert not parse("HTTP/1.1 200 OK").keep_alive


def test_http_1_0_answers_close_unless_they_say_otherwise() -> None:
    assert not parse("HTTP/1.0 200 OK", "Content-Length: 1").keep_alive
    assert parse("HTTP/1.0 200 OK", "Content-Length: 1", "Connection: keep-alive").keep_alive
    assert not parse("HTTP/1.1 200 OK", "Content-Length: 1", "Connection: close").keep_alive


@pytest.mark.parametrize(
    "lines",
    [
        ("HTTP/1.1 099 Low",),
        ("HTTP/1.1 600 High",),
        ("HTTP/1.1 999 Odd",),
        ("HTTP/2.0 200 OK",),
        ("HTTP/1.1 20 OK",),
        ("ICY 200 OK",),
        ("HTTP/1.1  200 OK",),
        ("HTTP/1.1 200 OK", "Content-Length: 1", "Content-Length: 1"),
        ("HTTP/1.1 200 OK", "Content-Length: 1, 1"),
        ("HTTP/1.1 200 OK", "Content-Length: x"),
        ("HTTP/1.1 200 OK", "Content-Length: 005"),
        ("HTTP/1.1 200 OK", "Content-Length: 3", "Transfer-Encoding: chunked"),
        ("HTTP/1.1 200 OK", "Transfer-Encoding: gzip"),
        ("HTTP/1.1 200 OK", "Transfer-Encoding: chunked, identity"),
        ("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        ("HTTP/1.0 200 OK", "Transfer-Encoding: chunked", "Connection: keep-alive"),
        ("HTTP/1.1 200 OK", "Content-Length: " + "1" * 5000),
        ("HTTP/1.1 200 OK", "A b: 1"),
        ("HTTP/1.1 200 OK", "A: \0"),
        ("HTTP/1.1 200 OK\nA: 1",),
        ("HTTP/1.1 200 OK", "A: 1", " folded"),
    ],
)
def test_a_broken_answer_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(AnswerRefused) as caught:
        parse(*lines)
    assert caught.value.status == 502


def test_the_status_line_is_our_own() -> None:
    assert status_line(404) == b"HTTP/1.1 404 Not Found\r\n"
    assert status_line(299) == b"HTTP/1.1 299 \r\n"


def test_connection_fields_count_together_and_take_away_what_they_name() -> None:
    head = parse(
        "HTTP/1.1 200 OK", "Connection: close", "Connection: keep-alive, X-Hop", "X-Hop: 1", "A: 1", "Content-Length: 0"
    )
    assert not head.keep_alive
    assert head.forwarded_fields == b"A: 1\r\nContent-Length: 0\r\n"
