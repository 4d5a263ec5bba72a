"""What is this answer, and where does it end? One upstream response head, refused wherever a client could be misled.

The same two readers as for requests (gateway/core/head.py): llhttp for every byte of syntax, one regular expression
for the few fields that a proxy acts on. What the framing means depends on the request: an answer to HEAD, a 1xx, a
204 and a 304 have no body, whatever their fields say (RFC 9112 section 6.3).
"""

from __future__ import annotations

import http
import re
from typing import Final

import httptools

from gateway.core.head import CHUNKED, MAX_BODY_LENGTH, MAX_LENGTH_DIGITS, without_field
from gateway.core.websocket import check_switch
from gateway.errors import AnswerRefused

UNTIL_CLOSE: Final = -2
"""`ResponseHead.body_length` of a body that ends with the connection."""

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\r\n]*)?")
_SPECIAL_FIELD: Final = re.compile(
    rb"\r\n(connection|content-length|transfer-encoding|upgrade|trailer|te|keep-alive|x-request-id"
    rb"|proxy-(?:connection|authenticate|authorization)):[ \t]*([^\r\n]*)"
)
_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus
}


class _NoCallbacks:
    """llhttp then only checks syntax."""


_NO_CALLBACKS: Final = _NoCallbacks()


class ResponseHead:
    """One response's head, checked."""

    __slots__ = ("body_length", "forwarded_fields", "keep_alive", "status")

    status: int
    body_length: int
    """Bytes of body to come; `CHUNKED` or `UNTIL_CLOSE` when the framing says."""
    keep_alive: bool
    forwarded_fields: bytes
    """The field lines to forward, each ended by CRLF, Content-Length among them: hop-by-hop ones are gone."""


def status_line(status: int) -> bytes:
    """Our own status line: an upstream's reason phrase is never passed on."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def parse_response_head(raw: bytes, *, method: str, websocket_accept: bytes | None = None) -> ResponseHead:
    """Check one response head, from its first byte to the empty line that ends it, as the answer to `method`.

    `websocket_accept` is what a 101 must prove (`gateway.core.websocket`), None where no switch was asked for.

    Raises `AnswerRefused`; the connection must then be closed.
    """
    line_end = raw.find(b"\r\n")
    line = _STATUS_LINE.fullmatch(raw, 0, line_end)
    if line is None:
        raise AnswerRefused("a status line that is not 'HTTP/1.x 1xx-5xx'")
    is_switch = line[2] == b"101"
    if is_switch:
        check_switch(raw, websocket_accept)
    try:
        httptools.HttpResponseParser(_NO_CALLBACKS).feed_data(raw)
    except httptools.HttpParserUpgrade as error:
        if not is_switch:
            raise AnswerRefused("an upgrade without a 101", proxy_status="http_upgrade_failed") from error
    except httptools.HttpParserError as error:
        raise AnswerRefused(f"a malformed response head: {error}") from error
    head = ResponseHead()
    head.status = int(line[2])
    head.keep_alive = line[1] == b"1"
    _read_fields(head, raw, line_end, bodiless=method == "HEAD" or head.status < 200 or head.status in (204, 304))
    return head


def _read_fields(  # noqa: C901, PLR0912 - hot, see gateway/core/head.py
    head: ResponseHead, raw: bytes, line_end: int, *, bodiless: bool
) -> None:
    lowered = raw.lower()
    is_1_0 = not head.keep_alive
    length: int | None = None
    chunked = False
    connection = b""
    kept: list[bytes] = []
    kept_from = line_end + 2
    for field in _SPECIAL_FIELD.finditer(lowered, line_end):
        name = field[1]
        value = field[2].rstrip(b" \t")
        if name == b"content-length":
            if length is not None or not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
                raise AnswerRefused("a Content-Length that is not one number")
            length = int(value)
            if length > MAX_BODY_LENGTH or (value[0] == 48 and length):
                raise AnswerRefused("a Content-Length above 2^63-1 or with leading zeros")
            if head.status != 204 and head.status >= 200:
                continue  # kept as it is: also for HEAD and 304, where it says what a GET would have got
        elif name == b"transfer-encoding":
            if chunked or value != b"chunked":
                raise AnswerRefused(
                    "a Transfer-Encoding that is not exactly one 'chunked'",
                    proxy_status="http_response_transfer_coding",
                )
            chunked = True
        elif name == b"connection":
            connection = connection + b"," + value if connection else value
        start = field.start() + 2
        if start > kept_from:
            kept.append(raw[kept_from:start])
        kept_from = field.end() + 2
    kept.append(raw[kept_from:-2])
    head.forwarded_fields = b"".join(kept)
    if chunked and (length is not None or is_1_0):
        raise AnswerRefused("Transfer-Encoding with Content-Length or on HTTP/1.0, whose end is ambiguous")
    if bodiless:
        head.body_length = 0
    elif chunked:
        head.body_length = CHUNKED
    elif length is not None:
        head.body_length = length
    else:
        head.body_length = UNTIL_CLOSE
        head.keep_alive = False
    if connection == b"close":
        head.keep_alive = False
    elif connection and (connection != b"keep-alive" or is_1_0):
        _read_connection(head, connection)


def _read_connection(head: ResponseHead, connection: bytes) -> None:
    options = [option.strip(b" \t") for option in connection.split(b",")]
    if b"close" in options:
        head.keep_alive = False
    elif b"keep-alive" in options and head.body_length != UNTIL_CLOSE:
        head.keep_alive = True
    for option in options:
        if option not in (b"close", b"keep-alive", b"upgrade", b""):
            head.forwarded_fields = without_field(head.forwarded_fields, option)
