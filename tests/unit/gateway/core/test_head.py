"""Every rule of gateway/core/head.py, on bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.head import CHUNKED, RequestHead, parse_request_head
from gateway.errors import RequestRefused


def head_of(*lines: str, host: str | None = "a.example") -> bytes:
    """A request head of these lines, with a Host unless it is None."""
    first, *rest = lines
    hosts = [f"Host: {host}"] if host is not None else []
    return "\r\n".join((first, *hosts, *rest, "", "")).encode("latin-1")


def parse(*lines: str, host: str | None = "a.example") -> RequestHead:
    return parse_request_head(head_of(*lines, host=host))


def refusal(raw: bytes) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        parse_request_head(raw)
    return caught.value


def test_a_plain_request_is_read() -> None:
    head = parse("GET /v1/profile/1?full=1 HTTP/1.1", "Accept: */*")
    assert (head.method, head.path, head.query, head.version) == ("GET", b"/v1/profile/1", b"?full=1", 11)
    assert (head.host, head.body_length, head.keep_alive) == ("a.example", 0, True)
    assert head.forwarded_fields == b"Host: a.example\r\nAccept: */*\r\n"


def test_order_duplicates_and_unknown_fields_are_kept_as_sent() -> None:
    head = parse("GET / HTTP/1.1", "X-b: 2", "x-A: 1", "X-B:  3", "Cookie: a=1")
    assert head.forwarded_fields == b"Host: a.example\r\nX-b: 2\r\nx-A: 1\r\nX-B:  3\r\nCookie: a=1\r\n"
    assert head.values(b"x-b") == [b"2", b"3"]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("EXAMPLE.com", "example.com"),
        ("example.com:8443", "example.com"),
        ("example.com.", "example.com"),
        ("[2001:DB8::1]:8080", "[2001:db8::1]"),
        ("[::1]", "[::1]"),
    ],
)
def test_the_host_is_lowered_and_loses_port_and_trailing_dot(host: str, name: str) -> None:
    assert parse("GET / HTTP/1.1", host=host).host == name


HOP_BY_HOP = [
    "Connection: keep-alive",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "Proxy-Authorization: Basic eA==",
    "TE: trailers",
    "Trailer: X-Sum",
    "Upgrade: h2c",
    "X-Forwarded-For: 1.2.3.4",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil",
    "X-Real-IP: 1.2.3.4",
    "Forwarded: for=1.2.3.4",
    "X-Request-Id: spoofed",
]


@pytest.mark.parametrize("line", HOP_BY_HOP)
def test_hop_by_hop_and_spoofable_fields_are_not_forwarded(line: str) -> None:
    head = parse("GET / HTTP/1.1", "A: 1", line, "B: 2")
    assert head.forwarded_fields == b"Host: a.example\r\nA: 1\r\nB: 2\r\n"


def test_fields_that_connection_names_are_removed() -> None:
    head = parse("GET / HTTP/1.1", "Connection: X-Hop, close", "X-Hop: 1", "X-Kept: 2")
    assert head.forwarded_fields == b"Host: a.example\r\nX-Kept: 2\r\n"
    assert not head.keep_alive


@pytest.mark.parametrize("name", ["Host", "Content-Length", "Authorization", "Cookie", "Via"])
def test_connection_cannot_take_away_what_the_next_hop_must_see(name: str) -> None:
    head = parse(
        "POST / HTTP/1.1", f"Connection: {name}", "Content-Length: 3", "Authorization: x", "Cookie: c", "Via: 1.1 y"
    )
    assert f"\r\n{name}: ".encode() in b"\r\n" + head.forwarded_fields


def test_http_1_0_closes_unless_it_asks_to_be_kept() -> None:
    assert not parse("GET / HTTP/1.0", host=None).keep_alive
    assert parse("GET / HTTP/1.0", "Connection: Keep-Alive").keep_alive


def test_absolute_form_replaces_host() -> None:
    head = parse("GET http://B.example:81/x?y HTTP/1.1", host="a.example")
    assert (head.host, head.path, head.query) == ("b.example", b"/x", b"?y")
    assert head.forwarded_fields == b"Host: b.example:81\r\n"


def test_options_asterisk_is_read() -> None:
    assert parse("OPTIONS * HTTP/1.1").path == b"*"


def test_body_lengths_are_read() -> None:
    assert parse("POST / HTTP/1.1", "Content-Length: 12").body_length == 12
    assert parse("POST / HTTP/1.1", "Transfer-Encoding: chunked").body_length == CHUNKED
    assert parse("POST / HTTP/1.1").body_length == 0


def test_transfer_encoding_is_not_forwarded_for_we_frame_bodies_ourselves() -> None:
    assert b"Transfer" not in parse("POST / HTTP/1.1", "Transfer-Encoding: chunked").forwarded_fields


def test_expect_continue_is_seen_and_not_forwarded() -> None:
    head = parse("POST / HTTP/1.1", "Content-Length: 3", "Expect: 100-continue")
    assert head.expects_continue
    assert b"Expect" not in head.forwarded_fields


def test_via_is_collected_and_forwarded() -> None:
    head = parse("GET / HTTP/1.1", "Via: 1.1 GW-1", "Via: 1.0 other")
    assert head.via == b"1.1 gw-1,1.0 other"
    assert head.forwarded_fields.count(b"Via:") == 2


HANDSHAKE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")


def test_a_websocket_upgrade_is_recognised() -> None:
    head = parse("GET / HTTP/1.1", *HANDSHAKE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    assert head.is_websocket
    assert head.websocket_accept == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" in head.forwarded_fields
    assert not parse("GET / HTTP/1.1", "Connection: Upgrade", "Upgrade: h2c").is_websocket
    assert not parse("GET / HTTP/1.1", "Upgrade: websocket").is_websocket


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("GET / HTTP/1.1", *HANDSHAKE), 400),
        (("GET / HTTP/1.1", *HANDSHAKE, "Sec-WebSocket-Key: short"), 400),
        (("GET / HTTP/1.1", *HANDSHAKE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Content-Length: 3"), 400),
        (("POST / HTTP/1.1", *HANDSHAKE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400),
        (("GET / HTTP/1.1", *HANDSHAKE[:2], "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 426),
    ],
)
def test_an_unclean_handshake_is_refused(lines: tuple[str, ...], status: int) -> None:
    assert refusal(head_of(*lines)).status == status


def test_an_upgrade_with_a_body_keeps_its_length() -> None:
    head = parse("POST / HTTP/1.1", "Connection: Upgrade", "Upgrade: x", "Content-Length: 5")
    assert head.body_length == 5


MALFORMED = {
    "length and coding": head_of("POST / HTTP/1.1", "Content-Length: 3", "Transfer-Encoding: chunked"),
    "coding and length": head_of("POST / HTTP/1.1", "Transfer-Encoding: chunked", "Content-Length: 3"),
    "two lengths": head_of("POST / HTTP/1.1", "Content-Length: 3", "Content-Length: 3"),
    "two different lengths": head_of("POST / HTTP/1.1", "Content-Length: 3", "Content-Length: 4"),
    "list of lengths": head_of("POST / HTTP/1.1", "Content-Length: 3, 3"),
    "plus length": head_of("POST / HTTP/1.1", "Content-Length: +3"),
    "negative length": head_of("POST / HTTP/1.1", "Content-Length: -1"),
    "hexadecimal length": head_of("POST / HTTP/1.1", "Content-Length: 0x3"),
    "underscored length": head_of("POST / HTTP/1.1", "Content-Length: 1_0"),
    "spaced length": head_of("POST / HTTP/1.1", "Content-Length: 1 0"),
    "length behind a tab": head_of("POST / HTTP/1.1", "Content-Length:\t3"),
    "length before a tab": head_of("POST / HTTP/1.1", "Content-Length: 3\t"),
    "empty length": head_of("POST / HTTP/1.1", "Content-Length: "),
    "leading zeros": head_of("POST / HTTP/1.1", "Content-Length: 0003"),
    "coding on 1.0": head_of("POST / HTTP/1.0", "Transfer-Encoding: chunked"),
    "identity coding": head_of("POST / HTTP/1.1", "Transfer-Encoding: identity"),
    "chunked then identity": head_of("POST / HTTP/1.1", "Transfer-Encoding: chunked, identity"),
    "identity then chunked": head_of("POST / HTTP/1.1", "Transfer-Encoding: identity, chunked"),
    "comma then chunked": head_of("POST / HTTP/1.1", "Transfer-Encoding: , chunked"),
    "chunked twice": head_of("POST / HTTP/1.1", "Transfer-Encoding: chunked, chunked"),
    "two codings": head_of("POST / HTTP/1.1", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "empty coding": head_of("POST / HTTP/1.1", "Transfer-Encoding: "),
    "space before colon": head_of("POST / HTTP/1.1", "Transfer-Encoding : chunked"),
    "underscored coding": head_of("POST / HTTP/1.1", "Transfer_Encoding: chunked"),
    "underscored length name": head_of("POST / HTTP/1.1", "Content_Length: 3"),
    "underscored forwarded": head_of("GET / HTTP/1.1", "X_Forwarded_For: 1.1.1.1"),
    "folded": head_of("GET / HTTP/1.1", "A: 1", " 2"),
    "folded first": b"GET / HTTP/1.1\r\n A: 1\r\nHost: a\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare CR": b"GET / HTTP/1.1\r\nHost: a\rX: 1\r\n\r\n",
    "NUL in value": head_of("GET / HTTP/1.1", "A: \0"),
    "control in value": head_of("GET / HTTP/1.1", "A: \x01"),
    "DEL in value": head_of("GET / HTTP/1.1", "A: \x7f"),
    "no colon": head_of("GET / HTTP/1.1", "nonsense"),
    "empty name": head_of("GET / HTTP/1.1", ": 1"),
    "parenthesis in name": head_of("GET / HTTP/1.1", "A(b: 1"),
    "no host": head_of("GET / HTTP/1.1", host=None),
    "two hosts": head_of("GET / HTTP/1.1", "Host: b.example"),
    "empty host": head_of("GET / HTTP/1.1", host=""),
    "host behind a tab": head_of("GET / HTTP/1.1", host="\ta"),
    "host before a tab": head_of("GET / HTTP/1.1", host="a\t"),
    "host with an empty label": head_of("GET / HTTP/1.1", host="a..b"),
    "host with two dots at its end": head_of("GET / HTTP/1.1", host="a.."),
    "target whose host has an empty label": head_of("GET http://a../ HTTP/1.1"),
    "host with path": head_of("GET / HTTP/1.1", host="a/b"),
    "host with user": head_of("GET / HTTP/1.1", host="user@a"),
    "host list": head_of("GET / HTTP/1.1", host="a, b"),
    "host port too large": head_of("GET / HTTP/1.1", host="a:70000"),
    "https target on plain listener": head_of("GET https://a.example/ HTTP/1.1"),
    "target authority with user": head_of("GET http://u@a.example/ HTTP/1.1"),
    "other scheme": head_of("GET ftp://a.example/ HTTP/1.1"),
    "asterisk with GET": head_of("GET * HTTP/1.1"),
    "fragment": head_of("GET /#x HTTP/1.1"),
    "space in target": head_of("GET /a b HTTP/1.1"),
    "tab in target": head_of("GET /a\tb HTTP/1.1"),
    "bare LF in target, a field behind it": b"GET /a\nX: HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "bare LF in query": b"GET /a?b\nX: HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "bare LF in absolute form": b"GET http://a.example/\nX: HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "raw octet in target": head_of("GET /\xe9 HTTP/1.1"),
    "encoded slash": head_of("GET /a%2fb HTTP/1.1"),
    "encoded backslash": head_of("GET /a%5Cb HTTP/1.1"),
    "encoded NUL": head_of("GET /a%00 HTTP/1.1"),
    "backslash": head_of("GET /a\\b HTTP/1.1"),
    "bad escape": head_of("GET /%zz HTTP/1.1"),
    "escape cut short": head_of("GET /%2 HTTP/1.1"),
    "above the root": head_of("GET /../etc HTTP/1.1"),
    "above the root, encoded": head_of("GET /%2e%2e/etc HTTP/1.1"),
    "two spaces": head_of("GET  / HTTP/1.1"),
    "HTTP/0.9": b"GET /\r\n\r\n",
    "RTSP": head_of("GET / RTSP/1.0"),
    "ICE": head_of("SOURCE / ICE/1.1"),
    "lower-case version": head_of("GET / http/1.1"),
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_two_readers_could_read_differently_is_refused(raw: bytes) -> None:
    assert refusal(raw).status in (400, 501 if b"SOURCE" in raw else 400)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (head_of("CONNECT a:443 HTTP/1.1"), 405),
        (head_of("TRACE / HTTP/1.1"), 405),
        (head_of("get / HTTP/1.1"), 501),
        (head_of("FROB / HTTP/1.1"), 501),
        (b"PRI * HTTP/2.0\r\n\r\n", 505),
        (head_of("GET / HTTP/1.2"), 505),
        (head_of("GET / HTTP/0.9"), 505),
        (head_of("GET /" + "a" * 9000 + " HTTP/1.1"), 414),
        (head_of("POST / HTTP/1.1", "Transfer-Encoding: gzip, chunked"), 501),
        (head_of("POST / HTTP/1.1", "Transfer-Encoding: xchunked"), 501),
        (head_of("POST / HTTP/1.1", f"Content-Length: {2**63}"), 413),
        (head_of("POST / HTTP/1.1", "Content-Length: 1", "Expect: 200-ok"), 417),
    ],
)
def test_what_is_clear_but_not_for_us_has_its_own_status(raw: bytes, status: int) -> None:
    assert refusal(raw).status == status


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_parse_or_be_refused(data: bytes) -> None:
    raw = b"GET / HTTP/1.1\r\nHost: a\r\n" + data.replace(b"\r\n\r\n", b"") + b"\r\n\r\n"
    try:
        head = parse_request_head(raw)
    except RequestRefused:
        return
    assert head.forwarded_fields.endswith(b"\r\n")


ATTRIBUTES = [
    "method",
    "path",
    "query",
    "version",
    "host",
    "body_length",
    "keep_alive",
    "expects_continue",
    "is_websocket",
    "websocket_accept",
    "via",
    "forwarded_fields",
    "block",
    "lowered",
]
AGAIN = [
    ("GET /a?b HTTP/1.1", "Accept: */*", "Via: 1.1 x", "Connection: X-Hop", "X-Hop: 1"),
    ("GET /a HTTP/1.1", "Connection: close"),
    ("POST /a HTTP/1.1", "Content-Length: 5"),
    ("POST /a HTTP/1.1", "Transfer-Encoding: chunked"),
    ("GET http://other.example:81/x HTTP/1.1",),
]


@pytest.mark.parametrize("lines", AGAIN)
@pytest.mark.parametrize("first", ["GET / HTTP/1.1", "GET http://third.example/ HTTP/1.1", "DELETE /%61 HTTP/1.1"])
def test_the_same_fields_again_are_read_as_if_they_had_come_alone(lines: tuple[str, ...], first: str) -> None:
    raw = head_of(*lines)
    previous = parse(first, *lines[1:])
    alone, after = parse_request_head(raw), parse_request_head(raw, previous=previous)
    for name in ATTRIBUTES:
        assert getattr(after, name) == getattr(alone, name), name


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_refusal_does_not_depend_on_what_came_before(raw: bytes) -> None:
    previous = parse("GET / HTTP/1.1")
    with pytest.raises(RequestRefused):
        parse_request_head(raw, previous=previous)


@given(st.text(alphabet=st.characters(min_codepoint=0, max_codepoint=255), max_size=30))
def test_a_target_is_accepted_after_the_same_fields_exactly_when_it_is_accepted_alone(target: str) -> None:
    raw = b"GET /" + target.encode("latin-1") + b" HTTP/1.1\r\nHost: a.example\r\n\r\n"
    previous = parse("GET / HTTP/1.1")

    def outcome(before: RequestHead | None) -> bytes | None:
        try:
            return parse_request_head(raw, previous=before).path
        except RequestRefused:
            return None

    assert outcome(previous) == outcome(None)
