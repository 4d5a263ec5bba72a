"""Requests that two readers could understand differently, or that nobody should have to understand.

Three kinds, by what must happen:
  REFUSED     the head alone is a reason: the status, the connection closed, not one byte to an endpoint
  CUT_SHORT   the head is right and its chunked body is not: no endpoint ever sees the body as whole
  DISARMED    legal, but a weapon if passed on as it came: what may and must not reach the endpoint is said

GATEWAY.md's measured vectors and those after them, by their usual names (CL: Content-Length, TE: Transfer-Encoding).
Every one is followed on the same connection by a smuggled request, which must never be served where the first was
refused.
"""

from __future__ import annotations

from dataclasses import dataclass

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Attack:
    """One hostile request."""

    name: str
    data: bytes
    statuses: frozenset[int] = frozenset({400})
    """Any of these is the right answer."""
    followed: bool = True
    """Whether the smuggled request is sent behind it."""


@dataclass(frozen=True)
class Disarmed:
    """Legal; `present` must reach the endpoint, `absent` must not (both in lower case), in exactly one request."""

    name: str
    data: bytes
    present: tuple[bytes, ...] = ()
    absent: tuple[bytes, ...] = ()


def _request(
    fields: bytes = b"", *, line: bytes = b"POST / HTTP/1.1", host: bytes = b"Host: h\r\n", body: bytes = b""
) -> bytes:
    return line + b"\r\n" + host + fields + b"\r\n" + body


def _attack(
    name: str,
    fields: bytes = b"",
    status: int | tuple[int, ...] = 400,
    *,
    line: bytes = b"POST / HTTP/1.1",
    host: bytes = b"Host: h\r\n",
    body: bytes = b"",
) -> Attack:
    statuses = frozenset((status,) if isinstance(status, int) else status)
    return Attack(name, _request(fields, line=line, host=host, body=body), statuses)


def _raw(name: str, data: bytes, status: int | tuple[int, ...] = 400, *, followed: bool = True) -> Attack:
    return Attack(name, data, frozenset((status,) if isinstance(status, int) else status), followed)


CHUNKS = b"0\r\n\r\n"
GET = b"GET / HTTP/1.1"

_FRAMING = [
    _attack("CL before TE", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", body=CHUNKS),
    _attack("TE before CL", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", body=CHUNKS),
    _attack("TE with CL 0", b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", body=CHUNKS),
    _attack("CL twice, the same", b"Content-Length: 5\r\nContent-Length: 5\r\n", body=b"hello"),
    _attack("CL twice, different", b"Content-Length: 5\r\nContent-Length: 6\r\n", body=b"hello"),
    _attack("CL twice, one far from the other", b"Content-Length: 0\r\nA: 1\r\nB: 2\r\ncontent-length: 5\r\n"),
    _attack("CL list, the same", b"Content-Length: 5, 5\r\n", body=b"hello"),
    _attack("CL list, different", b"Content-Length: 5, 0\r\n", body=b"hello"),
    _attack("CL with plus", b"Content-Length: +5\r\n", body=b"hello"),
    _attack("CL negative", b"Content-Length: -5\r\n", body=b"hello"),
    _attack("CL hexadecimal", b"Content-Length: 0x5\r\n", body=b"hello"),
    _attack("CL with underscore", b"Content-Length: 1_0\r\n", body=b"0123456789"),
    _attack("CL of two words", b"Content-Length: 1 0\r\n", body=b"0"),
    _attack("CL empty", b"Content-Length:\r\n"),
    _attack("CL only blanks", b"Content-Length:  \t \r\n"),
    _attack("CL with tabs around", b"Content-Length: \t 5\t \r\n", body=b"hello"),
    _attack("CL quoted", b'Content-Length: "5"\r\n', body=b"hello"),
    _attack("CL with decimals", b"Content-Length: 5.0\r\n", body=b"hello"),
    _attack("CL with exponent", b"Content-Length: 5e0\r\n", body=b"hello"),
    _attack("CL in superscript digits", b"Content-Length: \xb2\r\n", body=b"ab"),
    _attack("CL in Arabic digits", b"Content-Length: \xd9\xa5\r\n", body=b"hello"),
    _attack("CL with leading zeros", b"Content-Length: 0005\r\n", body=b"hello"),
    _attack("CL with a semicolon", b"Content-Length: 5;a=b\r\n", body=b"hello"),
    _attack("CL of 2^63", b"Content-Length: 9223372036854775808\r\n", (400, 413)),
    _attack("CL of 2^64 - 1", b"Content-Length: 18446744073709551615\r\n", (400, 413)),
    _attack("CL of 2^64 + 5", b"Content-Length: 18446744073709551621\r\n", (400, 413), body=b"hello"),
    _attack("CL of 5,000 digits", b"Content-Length: " + b"1" * 5000 + b"\r\n", (400, 413)),
    _attack("CL after vertical tab", b"Content-Length: \x0b5\r\n", body=b"hello"),
    _attack("CL with NUL", b"Content-Length: 5\x00\r\n", body=b"hello"),
    _attack("CL named with a blank before the colon", b"Content-Length : 5\r\n", body=b"hello"),
    _attack("CL named with a tab before the colon", b"Content-Length\t: 5\r\n", body=b"hello"),
    _attack("CL with underscore for hyphen", b"Content_Length: 5\r\n", body=b"hello"),
    _attack("CL folded onto the next line", b"Content-Length:\r\n 5\r\n", body=b"hello"),
    _attack("TE with a blank before the colon", b"Transfer-Encoding : chunked\r\n", body=CHUNKS),
    _attack("TE xchunked", b"Transfer-Encoding: xchunked\r\n", (400, 501), body=CHUNKS),
    _attack("TE chunkedx", b"Transfer-Encoding: chunkedx\r\n", (400, 501), body=CHUNKS),
    _attack("TE identity", b"Transfer-Encoding: identity\r\n", (400, 501)),
    _attack("TE quoted", b'Transfer-Encoding: "chunked"\r\n', (400, 501), body=CHUNKS),
    _attack("TE with parameter", b"Transfer-Encoding: chunked;p=1\r\n", (400, 501), body=CHUNKS),
    _attack("TE gzip", b"Transfer-Encoding: gzip\r\n", (400, 501)),
    _attack("TE empty", b"Transfer-Encoding:\r\n", (400, 501)),
    _attack("TE chunked, identity", b"Transfer-Encoding: chunked, identity\r\n", (400, 501), body=CHUNKS),
    _attack("TE chunked twice in one", b"Transfer-Encoding: chunked, chunked\r\n", (400, 501), body=CHUNKS),
    _attack("TE on two lines", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", body=CHUNKS),
    _attack("TE identity, chunked", b"Transfer-Encoding: identity, chunked\r\n", (400, 501), body=CHUNKS),
    _attack("TE gzip, chunked", b"Transfer-Encoding: gzip, chunked\r\n", (400, 501), body=CHUNKS),
    _attack("TE comma before", b"Transfer-Encoding: , chunked\r\n", (400, 501), body=CHUNKS),
    _attack("TE comma at once before", b"Transfer-Encoding:,chunked\r\n", (400, 501), body=CHUNKS),
    _attack("TE comma after", b"Transfer-Encoding: chunked,\r\n", (400, 501), body=CHUNKS),
    _attack(
        "TE gzip and chunked on two lines",
        b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        (400, 501),
        body=CHUNKS,
    ),
    _attack(
        "TE chunked and gzip on two lines",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
        (400, 501),
        body=CHUNKS,
    ),
    _attack("TE on HTTP/1.0", b"Transfer-Encoding: chunked\r\n", line=b"POST / HTTP/1.0", body=CHUNKS),
    _attack("TE after vertical tab", b"Transfer-Encoding: \x0bchunked\r\n", (400, 501), body=CHUNKS),
    _attack("TE with NUL", b"Transfer-Encoding: chunked\x00\r\n", (400, 501), body=CHUNKS),
    _attack("TE folded onto the next line", b"Transfer-Encoding:\r\n chunked\r\n", body=CHUNKS),
    _attack("TE folded in two", b"Transfer-Encoding: identity,\r\n chunked\r\n", body=CHUNKS),
    _attack("TE with underscore for hyphen", b"Transfer_Encoding: chunked\r\n", body=CHUNKS),
    _attack("TE behind a bare LF", b"A: b\nTransfer-Encoding: chunked\r\n", body=CHUNKS),
    _attack("TE behind a bare CR", b"A: b\rTransfer-Encoding: chunked\r\n", body=CHUNKS),
    _attack("TE behind CR CR LF", b"A: b\r\r\nTransfer-Encoding: chunked\r\n", body=CHUNKS),
    _attack("TE in an escaped name", b"%54ransfer-Encoding: chunked\r\nContent-Length: 5\r\nX Y: 1\r\n"),
]

_FIELDS = [
    _attack("NUL in a value", b"A: a\x00b\r\n"),
    _attack("bell in a value", b"A: a\x07b\r\n"),
    _attack("DEL in a value", b"A: a\x7fb\r\n"),
    _attack("escape in a value", b"A: a\x1bb\r\n"),
    _attack("bare LF in a value", b"A: a\nb: c\r\n"),
    _attack("bare CR in a value", b"A: a\rb\r\n"),
    _attack("folded value", b"A: a\r\n b\r\n"),
    _attack("folded first field", host=b" Host: h\r\n"),
    _attack("folded with tab", b"A: a\r\n\tb\r\n"),
    _attack("blank in a name", b"A B: c\r\n"),
    _attack("blank before the colon", b"A : b\r\n"),
    _attack("control character in a name", b"A\x01: b\r\n"),
    _attack("NUL in a name", b"A\x00B: b\r\n"),
    _attack("high byte in a name", b"\xc3\xa9: b\r\n"),
    _attack("bracket in a name", b"A(: b\r\n"),
    _attack("slash in a name", b"A/B: b\r\n"),
    _attack("empty name", b": b\r\n"),
    _attack("no colon", b"Abc\r\n"),
    _attack("only a colon", b":\r\n"),
    _attack("reserved name with underscore", b"X_Forwarded_For: 10.0.0.1\r\n"),
    _attack("reserved name with one underscore", b"X-Forwarded_For: 10.0.0.1\r\n"),
    _attack("real address with underscore", b"X_Real_IP: 10.0.0.1\r\n"),
    _attack("too many fields", b"A: b\r\n" * 101, 431),
    _attack("too large a field", b"A: " + b"b" * 33_000 + b"\r\n", 431),
    _attack("too many bytes in many fields", (b"A: " + b"b" * 900 + b"\r\n") * 60, 431),
    _raw("a field without end", b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"b" * 60_000, 431, followed=False),
    _raw("a name without end", b"GET / HTTP/1.1\r\nHost: h\r\n" + b"b" * 60_000, 431, followed=False),
]

_HOSTS = [
    _attack("no Host", line=GET, host=b""),
    _attack("two Hosts", line=GET, host=b"Host: a\r\nHost: b\r\n"),
    _attack("two Hosts, the same", line=GET, host=b"Host: a\r\nHost: a\r\n"),
    _attack("Host with path", line=GET, host=b"Host: a/b?c\r\n"),
    _attack("Host with user", line=GET, host=b"Host: user@a\r\n"),
    _attack("Host list", line=GET, host=b"Host: a, b\r\n"),
    _attack("Host empty", line=GET, host=b"Host:\r\n"),
    _attack("Host with blank", line=GET, host=b"Host: a b\r\n"),
    _attack("Host with port that is none", line=GET, host=b"Host: a:b\r\n"),
    _attack("Host with port above 65535", line=GET, host=b"Host: a:65536\r\n"),
    _attack("Host with NUL", line=GET, host=b"Host: a\x00b\r\n"),
    _attack("Host with quote", line=GET, host=b"Host: a'b\r\n"),
    _attack("Host with angle bracket", line=GET, host=b"Host: <a>\r\n"),
    _attack("Host with escape", line=GET, host=b"Host: a%00b\r\n"),
    _attack("Host with high byte", line=GET, host=b"Host: \xc3\xa9\r\n"),
    _attack("Host of an unclosed bracket", line=GET, host=b"Host: [::1\r\n"),
    _attack("Host behind a blank", line=GET, host=b"Host : a\r\n"),
    _attack("Host folded", line=GET, host=b"Host:\r\n a\r\n"),
]

_LINES = [
    _attack("absolute form of another scheme", line=b"GET https://h/ HTTP/1.1"),
    _attack("absolute form of an unknown scheme", line=b"GET ftp://h/ HTTP/1.1"),
    _attack("absolute form with user", line=b"GET http://user@h/ HTTP/1.1"),
    _attack("absolute form without authority", line=b"GET http:///x HTTP/1.1"),
    _attack("absolute form with backslash", line=b"GET http://h\\@evil/ HTTP/1.1"),
    _attack("absolute form with fragment", line=b"GET http://h/#f HTTP/1.1"),
    _attack("star with GET", line=b"GET * HTTP/1.1"),
    _attack("authority form with GET", line=b"GET h:80 HTTP/1.1"),
    _attack("relative target", line=b"GET x HTTP/1.1"),
    _attack("query alone", line=b"GET ?x HTTP/1.1"),
    _attack("fragment", line=b"GET /#f HTTP/1.1"),
    _attack("fragment in the query", line=b"GET /?a#f HTTP/1.1"),
    _attack("NUL in the target", line=b"GET /\x00 HTTP/1.1"),
    _attack("control character in the target", line=b"GET /\x01 HTTP/1.1"),
    _attack("DEL in the target", line=b"GET /\x7f HTTP/1.1"),
    _attack("high byte in the target", line=b"GET /\xc3\xa9 HTTP/1.1"),
    _attack("high byte in the query", line=b"GET /?\xff HTTP/1.1"),
    _attack("tab in the target", line=b"GET /a\tb HTTP/1.1"),
    _attack("tab for a blank", line=b"GET\t/ HTTP/1.1"),
    _attack("blank in the target", line=b"GET /a b HTTP/1.1"),
    _attack("two blanks", line=b"GET  / HTTP/1.1"),
    _attack("two blanks before the version", line=b"GET /  HTTP/1.1"),
    _attack("blank behind the version", line=b"GET / HTTP/1.1 "),
    _attack("blank before the method", line=b" GET / HTTP/1.1", status=(400, 501)),
    _attack("bare LF behind the line", line=b"GET / HTTP/1.1\nX: y"),
    _attack("bare LF in the target, a field behind it", line=b"GET /a\nX: HTTP/1.1"),
    _attack("bare LF in the target, a framing field behind it", line=b"POST /a\nTransfer-Encoding: HTTP/1.1"),
    _attack("bare LF in the query", line=b"GET /a?b\nHost: HTTP/1.1"),
    _attack("bare LF in the absolute form", line=b"GET http://h/a\nX: HTTP/1.1"),
    _attack("bare CR in the line", line=b"GET /\r HTTP/1.1"),
    _attack("CR CR LF behind the line", line=b"GET / HTTP/1.1\r"),
    _attack("a second request in the line", line=b"GET / HTTP/1.1\nGET /smuggled HTTP/1.1"),
    _attack("backslash", line=b"GET /a\\..\\b HTTP/1.1"),
    _attack("escaped slash", line=b"GET /a%2fb HTTP/1.1"),
    _attack("escaped backslash", line=b"GET /a%5cb HTTP/1.1"),
    _attack("escaped NUL", line=b"GET /a%00 HTTP/1.1"),
    _attack("escaped line ending", line=b"GET /a%0d%0aX:%20y HTTP/1.1"),
    _attack("escape cut short", line=b"GET /a%2 HTTP/1.1"),
    _attack("escape of no digits", line=b"GET /a%zz HTTP/1.1"),
    _attack("escape in UTF-16 style", line=b"GET /a%u002f HTTP/1.1"),
    _attack("climbing above the root", line=b"GET /../../etc/passwd HTTP/1.1"),
    _attack("climbing above the root, escaped", line=b"GET /%2e%2e/%2E%2E/etc/passwd HTTP/1.1"),
    _attack("climbing above the root, half escaped", line=b"GET /a/.%2e/..//%2e./x HTTP/1.1"),
    _attack("too long a line", line=b"GET /" + b"a" * 9000 + b" HTTP/1.1", status=414),
    _raw("a line without end", b"GET /" + b"a" * 9000, 414, followed=False),
    _attack("version 0.9", line=b"GET / HTTP/0.9", status=505),
    _attack("version 2.0", line=b"GET / HTTP/2.0", status=505),
    _attack("version 1.2", line=b"GET / HTTP/1.2", status=505),
    _attack("version 1.10", line=b"GET / HTTP/1.10", status=(400, 505)),
    _attack("version 01.1", line=b"GET / HTTP/01.1", status=(400, 505)),
    _attack("version with a comma", line=b"GET / HTTP/1,1"),
    _attack("version in lower case", line=b"GET / http/1.1"),
    _attack("no version", line=b"GET /"),
    _attack("no slash in the version", line=b"GET / HTTP1.1"),
    _attack("RTSP", line=b"GET / RTSP/1.1", status=(400, 505)),
    _attack("RTSP with POST", line=b"POST / RTSP/1.0", status=(400, 505)),
    _attack("ICE", line=b"SOURCE / ICE/1.1", status=(400, 501, 505)),
    _raw("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", (400, 505), followed=False),
    _attack("CONNECT", line=b"CONNECT h:443 HTTP/1.1", status=405),
    _attack("CONNECT with a body", b"Content-Length: 38\r\n", 405, line=b"CONNECT h:443 HTTP/1.1"),
    _attack("TRACE", line=b"TRACE / HTTP/1.1", status=405),
    _attack("TRACK", line=b"TRACK / HTTP/1.1", status=(405, 501)),
    _attack("method in lower case", line=b"get / HTTP/1.1", status=(400, 501)),
    _attack("unknown method", line=b"FROB / HTTP/1.1", status=501),
    _attack("method that is no token", line=b"G(T / HTTP/1.1", status=(400, 501)),
    _attack("method with NUL", line=b"GE\x00T / HTTP/1.1", status=(400, 501)),
    _attack("method with a header in it", line=b"GET\nHost:x / HTTP/1.1", status=(400, 501)),
    _attack("no method", line=b" / HTTP/1.1", status=(400, 501)),
    _raw("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    _raw("an empty head", b"X\r\n\r\n"),
    _raw("an answer for a request", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (400, 501, 505)),
    _raw("a PROXY line that nobody configured", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + _request(line=GET), (400, 501)),
    _raw("only LF for line endings", b"GET / HTTP/1.1\nHost: h\n\n"),
    _raw("LF at the end of the head", b"GET / HTTP/1.1\r\nHost: h\r\n\n"),
    _raw("LF CR LF at the end of the head", b"GET / HTTP/1.1\r\nHost: h\n\r\n"),
]

_TRICKS = [
    _attack("Expect of something else", b"Expect: 200-ok\r\nContent-Length: 5\r\n", 417, body=b"hello"),
    _attack("Expect with a word before", b"Expect: x 100-continue\r\nContent-Length: 5\r\n", 417, body=b"hello"),
    _attack("Expect with a word behind", b"Expect: 100-continue x\r\nContent-Length: 5\r\n", 417, body=b"hello"),
    _attack("Expect list", b"Expect: 100-continue, 100-continue\r\nContent-Length: 5\r\n", 417, body=b"hello"),
    _attack("Expect quoted", b'Expect: "100-continue"\r\nContent-Length: 5\r\n', 417, body=b"hello"),
    _attack("Expect empty", b"Expect:\r\nContent-Length: 5\r\n", 417, body=b"hello"),
    _attack("Expect folded", b"Expect: 100-\r\n continue\r\nContent-Length: 5\r\n", (400, 417), body=b"hello"),
    _attack("Expect behind a blank", b"Expect : 100-continue\r\nContent-Length: 5\r\n", body=b"hello"),
    _attack("two different Expects", b"Expect: 100-continue\r\nExpect: y\r\nContent-Length: 5\r\n", 417, body=b"hello"),
    _attack(
        "upgrade to WebSocket with a body",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nContent-Length: 38\r\n",
        (400, 501),
        line=GET,
    ),
    _attack(
        "upgrade to WebSocket with POST",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        (400, 405, 501),
    ),
    _attack(
        "upgrade to WebSocket on HTTP/1.0",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        (400, 426, 501),
        line=b"GET / HTTP/1.0",
    ),
    _attack(
        "upgrade to WebSocket without a key",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        (400, 501),
        line=GET,
    ),
    _attack(
        "upgrade to WebSocket with a short key",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AA==\r\n",
        (400, 501),
        line=GET,
    ),
    _attack(
        "upgrade to WebSocket with two keys",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" * 2,
        (400, 501),
        line=GET,
    ),
    _attack(
        "upgrade to WebSocket of version 8",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        (400, 426, 501),
        line=GET,
    ),
    _attack("a loop", b"Via: 1.1 gw-test\r\n", 508, line=GET),
    _attack("a loop in other capitals", b"Via: 1.0 fred, HTTP/1.1 GW-TEST (x)\r\n", 508, line=GET),
]

REFUSED = [*_FRAMING, *_FIELDS, *_HOSTS, *_LINES, *_TRICKS]


def _chunked(name: str, body: bytes, status: int | tuple[int, ...] = 400) -> Attack:
    return _attack(name, b"Transfer-Encoding: chunked\r\n", status, body=body)


CUT_SHORT = [
    _chunked("chunk size with 0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size with plus", b"+5\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size negative", b"-5\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size empty", b"\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size of 17 digits", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size of 17 digits, zeros", b"00000000000000005\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size with underscore", b"0_5\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size with a blank before", b" 5\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size with a blank behind", b"5 \r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size with a tab behind", b"5\t\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size that is no number", b"XX\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size with NUL", b"5\x00\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size ended by LF", b"5\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size ended by CR", b"5\rhello\r\n0\r\n\r\n"),
    _chunked("chunk size ended by CR CR LF", b"5\r\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk data ended by LF", b"5\r\nhello\n0\r\n\r\n"),
    _chunked("chunk data ended by nothing", b"5\r\nhello0\r\n\r\n"),
    _chunked("chunk data ended by XX", b"5\r\nhelloXX0\r\n\r\n"),
    _chunked("chunk data longer than its size", b"3\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk extension with CR", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk extension with LF", b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk extension with a control character", b"5;a\x01\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk extension that hides a request", b"5;\nxx\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk extension without end", b"5;" + b"a" * 100_000),
    _chunked("last chunk ended by LF", b"5\r\nhello\r\n0\n\r\n"),
    _chunked("trailers ended by LF", b"5\r\nhello\r\n0\r\n\n"),
    _chunked("trailer folded", b"0\r\nA: b\r\n c\r\n\r\n"),
    _chunked("trailer with a blank before the colon", b"0\r\nA : b\r\n\r\n"),
    _chunked("trailer without colon", b"0\r\nabc\r\n\r\n"),
    _chunked("trailer with NUL", b"0\r\nA: \x00\r\n\r\n"),
    _chunked("trailer with LF", b"0\r\nA: b\nC: d\r\n\r\n"),
    _chunked("trailers without end", b"0\r\n" + b"A: b\r\n" * 10_000),
    _chunked("a request in the trailers", b"0\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"),
]

DISARMED = [
    Disarmed("TE behind a tab", _request(b"Transfer-Encoding:\tchunked\r\n", body=CHUNKS), (b"chunked\r\n",)),
    Disarmed("TE in capitals", _request(b"TRANSFER-ENCODING: CHUNKED\r\n", body=CHUNKS), (b"chunked\r\n",)),
    Disarmed("CL with blanks around", _request(b"Content-Length:   5  \r\n", body=b"hello")),
    Disarmed(
        "Connection names the framing",
        _request(b"Connection: Content-Length, Host\r\nContent-Length: 5\r\n", body=b"hello"),
        (b"content-length: 5\r\n", b"host: h\r\n"),
        (b"\r\nconnection:",),
    ),
    Disarmed(
        "Connection names who the client is",
        _request(
            b"Connection: close, X-Forwarded-For, Authorization, Cookie, Forwarded\r\nAuthorization: Basic eA==\r\n"
            b"Cookie: a=b\r\nX-Forwarded-For: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\n",
            line=GET,
        ),
        (b"authorization: basic ea==", b"cookie: a=b", b"x-forwarded-for: 127.0.0.1", b"for=127.0.0.1"),
        (b"9.9.9.9", b"\r\nconnection:"),
    ),
    Disarmed(
        "hop-by-hop fields",
        _request(
            b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nProxy-Connection: keep-alive\r\n"
            b"Proxy-Authorization: Basic eA==\r\nTE: trailers\r\nTrailer: X\r\n",
            line=GET,
        ),
        (),
        (b"x-hop", b"keep-alive", b"proxy-", b"\r\nte:", b"trailer"),
    ),
    Disarmed(
        "upgrade to h2c",
        _request(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", line=GET),
        (),
        (b"upgrade", b"h2c", b"http2-settings"),
    ),
    Disarmed(
        "upgrade to h2c with a body",
        _request(
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
            b"Content-Length: %d\r\n" % len(SMUGGLED),
            body=SMUGGLED,
        ),
        (b"/smuggled",),
        (b"upgrade", b"h2c", b"http2-settings"),
    ),
    Disarmed(
        "upgrade to nonsense with a chunked body",
        _request(
            b"Connection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n",
            body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
        ),
        (b"/smuggled",),
        (b"upgrade",),
    ),
    Disarmed(
        "Upgrade without Connection",
        _request(b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", line=GET),
        (),
        (b"upgrade",),
    ),
    Disarmed(
        "a request as the body of a GET",
        _request(b"Content-Length: %d\r\n" % len(SMUGGLED), line=GET, body=SMUGGLED),
        (b"content-length: %d\r\n" % len(SMUGGLED),),
    ),
    Disarmed(
        "absolute form with another Host",
        _request(line=b"GET http://Real:81/x HTTP/1.1", host=b"Host: other\r\n"),
        (b"get /x http/1.1\r\n", b"host: real:81\r\n"),
        (b"other",),
    ),
    Disarmed(
        "two slashes at the start",
        _request(line=b"GET //evil/x HTTP/1.1"),
        (b"get /evil/x http/1.1\r\n",),
        (b"//evil",),
    ),
    Disarmed(
        "dots in the path",
        _request(line=b"GET /a/./b/../%2e%2e/c%41/ HTTP/1.1"),
        (b"get /ca/ http/1.1\r\n",),
        (b"..", b"%2e"),
    ),
    Disarmed(
        "trailers of every kind",
        _request(
            b"Transfer-Encoding: chunked\r\nTrailer: Host, Content-Length, Transfer-Encoding, Authorization\r\n",
            body=b"0\r\nHost: evil\r\nContent-Length: 9\r\nTransfer-Encoding: gzip\r\nAuthorization: x\r\n"
            b"Connection: close\r\n\r\n",
        ),
        (b"host: h\r\n",),
        (b"evil", b"gzip", b"authorization", b"content-length"),
    ),
    Disarmed(
        "chunk extensions",
        _request(b"Transfer-Encoding: chunked\r\n", body=b'5;a=b;c="d"\r\nhello\r\n0;e\r\n\r\n'),
        (b"hello",),
        (b"a=b", b"c=", b";e"),
    ),
    Disarmed("empty lines before", b"\r\n\r\n\r\n" + _request(line=GET), (b"get / http/1.1\r\n",)),
    Disarmed("high bytes in a value", _request(b"A: \xff\xc3\xa9\r\n", line=GET), (b"a: \xff\xc3\xa9\r\n",)),
    Disarmed(
        "addresses that the client claims",
        _request(
            b"X-Forwarded-For: 9.9.9.9\r\nx-forwarded-host: evil\r\nX-FORWARDED-PROTO: https\r\nX-Forwarded-Port: 9\r\n"
            b"X-Real-IP: 9.9.9.9\r\nForwarded: for=9.9.9.9;host=evil\r\nX-Request-Id: mine\r\n",
            line=GET,
        ),
        (b"x-forwarded-for: 127.0.0.1\r\n", b"x-forwarded-proto: http\r\n"),
        (b"9.9.9.9", b"evil", b"mine"),
    ),
    Disarmed("HTTP/1.0 without Host", _request(line=b"GET / HTTP/1.0", host=b""), (b"\r\nhost: 127.0.0.1:",)),
]
