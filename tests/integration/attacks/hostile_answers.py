"""Answers that an endpoint in other hands, or a broken one, may give to a request that was right.

  REFUSED    nothing of it is HTTP that may be passed on: 502 with its `Proxy-Status` token
  CUT_SHORT  it begins well and does not end well: the client must not take it for whole
  TOO_LONG   a whole answer and more: the client gets the answer, nobody gets the rest
After each of them, the connection is never used again.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.harness.recording import Cut, Last

STOLEN = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"
"""What would be the next client's answer, if the connection were used again."""


@dataclass(frozen=True)
class Answer:
    """One hostile answer."""

    name: str
    data: bytes
    token: bytes = b"http_protocol_error"
    method: bytes = b"GET"


def _line(name: str, line: bytes) -> Answer:
    return Answer(name, line + b"\r\nContent-Length: 2\r\n\r\nok" + STOLEN)


def _fields(name: str, fields: bytes, *, body: bytes = b"ok", token: bytes = b"http_protocol_error") -> Answer:
    return Answer(name, b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + body + STOLEN, token)


def _coding(name: str, value: bytes) -> Answer:
    fields = b"Transfer-Encoding: " + value + b"\r\n"
    return _fields(name, fields, body=b"0\r\n\r\n", token=b"http_response_transfer_coding")


REFUSED = [
    _line("status 099", b"HTTP/1.1 099 OK"),
    _line("status 000", b"HTTP/1.1 000 OK"),
    _line("status 600", b"HTTP/1.1 600 OK"),
    _line("status 999", b"HTTP/1.1 999 OK"),
    _line("status of two digits", b"HTTP/1.1 20 OK"),
    _line("status of four digits", b"HTTP/1.1 2000 OK"),
    _line("status negative", b"HTTP/1.1 -200 OK"),
    _line("status with a letter", b"HTTP/1.1 2o0 OK"),
    _line("no status", b"HTTP/1.1"),
    _line("no blank behind the status", b"HTTP/1.1 200OK"),
    _line("two blanks before the status", b"HTTP/1.1  200 OK"),
    _line("blank before the version", b" HTTP/1.1 200 OK"),
    _line("version 2", b"HTTP/2 200 OK"),
    _line("version 0.9", b"HTTP/0.9 200 OK"),
    _line("version 1.2", b"HTTP/1.2 200 OK"),
    _line("another protocol", b"ICY 200 OK"),
    _line("a request", b"GET / HTTP/1.1"),
    _line("bare CR in the reason", b"HTTP/1.1 200 O\rK"),
    _line("bare LF in the reason", b"HTTP/1.1 200 O\nX: y"),
    Answer("empty line first", b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    Answer("not HTTP at all", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    Answer("a TLS alert", b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n"),
    _fields("folded field", b"A: b\r\n c\r\nContent-Length: 2\r\n"),
    _fields("folded first field", b" A: b\r\nContent-Length: 2\r\n"),
    _fields("blank before the colon", b"Content-Length : 2\r\n"),
    _fields("blank in a name", b"A B: c\r\nContent-Length: 2\r\n"),
    _fields("empty name", b": c\r\nContent-Length: 2\r\n"),
    _fields("no colon", b"abc\r\nContent-Length: 2\r\n"),
    _fields("NUL in a value", b"A: b\x00c\r\nContent-Length: 2\r\n"),
    _fields("bell in a value", b"A: b\x07c\r\nContent-Length: 2\r\n"),
    _fields("bare LF in a value", b"A: b\nSet-Cookie: c\r\nContent-Length: 2\r\n"),
    _fields("bare CR in a value", b"A: b\rSet-Cookie: c\r\nContent-Length: 2\r\n"),
    _fields("CL twice, different", b"Content-Length: 2\r\nContent-Length: 8\r\n"),
    _fields("CL list", b"Content-Length: 2, 8\r\n"),
    _fields("CL negative", b"Content-Length: -2\r\n"),
    _fields("CL with plus", b"Content-Length: +2\r\n"),
    _fields("CL hexadecimal", b"Content-Length: 0x2\r\n"),
    _fields("CL empty", b"Content-Length:\r\n"),
    _fields("CL of 2^63", b"Content-Length: 9223372036854775808\r\n"),
    _fields("CL of 2^64 + 2", b"Content-Length: 18446744073709551618\r\n"),
    _fields("CL of 5,000 digits", b"Content-Length: " + b"2" * 5000 + b"\r\n"),
    _fields("CL with TE", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", body=b"0\r\n\r\n"),
    _fields("TE with CL", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", body=b"0\r\n\r\n"),
    _coding("TE gzip", b"gzip"),
    _coding("TE identity", b"identity"),
    _fields("TE empty", b"Transfer-Encoding:\r\n", body=b"0\r\n\r\n"),
    _coding("TE quoted", b'"chunked"'),
    _coding("TE xchunked", b"xchunked"),
    _coding("TE chunked, identity", b"chunked, identity"),
    _coding("TE gzip, chunked", b"gzip, chunked"),
    _coding("TE comma before", b",chunked"),
    _coding("TE comma after", b"chunked,"),
    _coding("TE on two lines", b"chunked\r\nTransfer-Encoding: chunked"),
    Answer(
        "101 that nobody asked for",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + STOLEN,
        b"http_upgrade_failed",
    ),
    Answer("101 without Upgrade", b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + STOLEN, b"http_upgrade_failed"),
    Answer("100 with a body", b"HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\nok" + STOLEN),
    Answer("103 with chunks", b"HTTP/1.1 103 Early\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + STOLEN),
    Answer("head without end", b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000, b"http_response_header_section_size"),
    Answer("nothing", Last(), b"connection_terminated"),
    Answer("half a status line", Last(b"HTTP/1.1 2"), b"connection_terminated"),
    Answer("half a head", Last(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"), b"connection_terminated"),
    Answer("only an interim answer", Last(b"HTTP/1.1 103 Early Hints\r\n\r\n"), b"connection_terminated"),
    Answer("a reset", Cut(b"HTTP/1.1 200 OK\r\n"), b"connection_terminated"),
]


def _chunked(name: str, body: bytes) -> Answer:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n"
    return Answer(name, head + body + STOLEN, b"http_response_transfer_coding")


_CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

CUT_SHORT = [
    _chunked("chunk size with 0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size with plus", b"+5\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size negative", b"-5\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size empty", b"\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size of 17 digits", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size with a blank behind", b"5 \r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk size ended by LF", b"5\nhello\r\n0\r\n\r\n"),
    _chunked("chunk data ended by LF", b"5\r\nhello\n0\r\n\r\n"),
    _chunked("chunk data longer than its size", b"3\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk extension with LF", b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    _chunked("chunk extension without end", b"5;" + b"a" * 10_000),
    _chunked("trailers ended by LF", b"0\r\nA: b\n\n"),
    _chunked("trailer without colon", b"0\r\nabc\r\n\r\n"),
    _chunked("trailers without end", b"0\r\n" + b"A: b\r\n" * 10_000),
    Answer("chunks without a last one", Last(_CHUNKED_HEAD + b"4\r\ngood\r\n"), b"connection_terminated"),
    Answer("last chunk without its end", Last(_CHUNKED_HEAD + b"4\r\ngood\r\n0\r\n"), b"connection_terminated"),
    Answer("chunk cut short", Last(_CHUNKED_HEAD + b"5\r\ngood"), b"connection_terminated"),
    Answer("chunk reset", Cut(_CHUNKED_HEAD + b"5\r\ngood"), b"connection_terminated"),
    Answer("length cut short", Last(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ngood"), b"connection_terminated"),
    Answer("length reset", Cut(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ngood"), b"connection_terminated"),
    Answer("length with no body", Last(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), b"connection_terminated"),
    Answer("until close, reset", Cut(b"HTTP/1.1 200 OK\r\n\r\ngood"), b"connection_terminated"),
]

TOO_LONG = [
    Answer("a second answer", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood" + STOLEN),
    Answer("a second answer behind chunks", _CHUNKED_HEAD + b"4\r\ngood\r\n0\r\n\r\n" + STOLEN),
    Answer("one byte too many", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood!"),
    Answer("line ending behind the body", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood\r\n"),
    Answer("body behind a HEAD answer", b"HTTP/1.1 200 OK\r\nContent-Length: 75\r\n\r\n" + STOLEN, method=b"HEAD"),
    Answer("chunks behind a HEAD answer", _CHUNKED_HEAD + b"4\r\ngood\r\n0\r\n\r\n", method=b"HEAD"),
    Answer("body of a 204", b"HTTP/1.1 204 No Content\r\nContent-Length: 45\r\n\r\n" + STOLEN),
    Answer("chunked body of a 204", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    Answer("body of a 304", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 45\r\n\r\n" + STOLEN),
]
