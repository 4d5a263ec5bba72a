"""What does this stream of bytes say, read by someone who forgives nothing? A second opinion on HTTP/1.1 framing.

It shares no line with the gateway's own parsers (nor with llhttp), so that the two can disagree: RFC 9112 by plain
bytes, one message after the other, and `Unclear` wherever two readers could differ.
"""

from __future__ import annotations

from dataclasses import dataclass

_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_TARGET = frozenset(range(0x21, 0x7F))
_VALUE = frozenset((0x09, *range(0x20, 0x7F), *range(0x80, 0x100)))


class Unclear(Exception):
    """Two readers could disagree about these bytes."""


class Unfinished(Exception):
    """The stream ends within a message."""


@dataclass(frozen=True)
class Message:
    """One request, or one answer."""

    start: bytes
    """The first line, without its end."""
    fields: tuple[tuple[bytes, bytes], ...]
    """Names in lower case, values stripped."""
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key == name]

    @property
    def method(self) -> bytes:
        return self.start.split(b" ")[0]

    @property
    def target(self) -> bytes:
        return self.start.split(b" ")[1]

    @property
    def status(self) -> int:
        return int(self.start.split(b" ")[1])


def read_requests(stream: bytes) -> list[Message]:
    """Every request in a stream that ends with the last of them. Raises `Unclear`, `Unfinished`."""
    requests: list[Message] = []
    while stream:
        request, stream = read_request(stream)
        requests.append(request)
    return requests


def read_request(stream: bytes) -> tuple[Message, bytes]:
    """The first request, and what follows it."""
    line, fields, rest = _head(stream)
    words = line.split(b" ")
    if len(words) != 3 or words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise Unclear(f"request line {line!r}")
    if not words[0] or not _TOKEN.issuperset(words[0]) or not words[1] or not _TARGET.issuperset(words[1]):
        raise Unclear(f"request line {line!r}")
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) > 1 or (not hosts and words[2] == b"HTTP/1.1"):
        raise Unclear(f"{len(hosts)} Host fields")
    framed = _framing(fields, is_old=words[2] == b"HTTP/1.0")
    body, rest = _body(rest, framed or 0)
    return Message(line, fields, body), rest


def read_answers(stream: bytes, methods: list[bytes]) -> list[Message]:
    """Every final answer in a stream to these requests, interim ones passed over; the last may end with the stream."""
    answers: list[Message] = []
    while stream:
        line, fields, rest = _head(stream)
        words = line.split(b" ", 2)
        if words[0] != b"HTTP/1.1" or len(words) < 2 or len(words[1]) != 3 or not words[1].isdigit():
            raise Unclear(f"status line {line!r}")
        status = int(words[1])
        if status < 200 and status != 101:
            stream = rest
            continue
        if len(answers) == len(methods):
            raise Unclear("an answer that nobody asked for")
        framed = _framing(fields, is_old=False)
        if methods[len(answers)] == b"HEAD" or status in (204, 304):
            body, stream = b"", rest
        elif framed is None:
            body, stream = rest, b""
        else:
            body, stream = _body(rest, framed)
        answers.append(Message(line, fields, body))
    return answers


def _head(stream: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes], ...], bytes]:
    head, mark, rest = stream.partition(b"\r\n\r\n")
    if not mark:
        raise Unfinished("a head without its end")
    line, *lines = head.split(b"\r\n")
    fields = []
    for entry in (line, *lines):
        if not _VALUE.issuperset(entry):
            raise Unclear(f"a control character in {entry!r}")
    for entry in lines:
        name, colon, value = entry.partition(b":")
        if not colon or not name or not _TOKEN.issuperset(name):
            raise Unclear(f"field line {entry!r}")
        fields.append((name.lower(), value.strip(b" \t")))
    return line, tuple(fields), rest


CHUNKED = -1


def _framing(fields: tuple[tuple[bytes, bytes], ...], *, is_old: bool) -> int | None:
    """The body's length, CHUNKED, or None where no field says."""
    lengths = [value for name, value in fields if name.replace(b"_", b"-") == b"content-length"]
    codings = [value for name, value in fields if name.replace(b"_", b"-") == b"transfer-encoding"]
    if codings:
        if lengths or is_old or codings != [b"chunked"]:
            raise Unclear(f"Transfer-Encoding {codings}, Content-Length {lengths}")
        return CHUNKED
    if not lengths:
        return None
    if len(lengths) > 1 or not lengths[0].isdigit() or str(int(lengths[0][:19])).encode() != lengths[0]:
        raise Unclear(f"Content-Length {lengths}")
    return int(lengths[0])


def _body(stream: bytes, framed: int) -> tuple[bytes, bytes]:
    if framed != CHUNKED:
        if len(stream) < framed:
            raise Unfinished("a body shorter than its length")
        return stream[:framed], stream[framed:]
    body = b""
    while True:
        line, mark, stream = stream.partition(b"\r\n")
        if not mark:
            raise Unfinished("a chunk without its size")
        if not 0 < len(line) <= 15 or not all(digit in b"0123456789abcdefABCDEF" for digit in line):
            raise Unclear(f"chunk size {line!r}")
        size = int(line, 16)
        if len(stream) < size + 2:
            raise Unfinished("a chunk shorter than its size")
        if stream[size : size + 2] != b"\r\n":
            raise Unclear("a chunk that does not end where its size says")
        body, stream = body + stream[:size], stream[size + 2 :]
        if not size:
            return body, stream
