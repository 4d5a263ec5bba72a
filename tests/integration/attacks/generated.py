"""Requests made by chance: right ones, of which we know what they say, and the same with small damage done to them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hypothesis import strategies as st

METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "PROPFIND", "M-SEARCH")
NASTY = (
    *(
        b"\r",
        b"\n",
        b"\r\n",
        b"\n\n",
        b"\r\n\r\n",
        b"\r\r\n",
        b"\0",
        b"\t",
        b" ",
        b"\x0b",
        b"\x0c",
        b"\x7f",
        b"\x80",
        b"\xff",
    ),
    *(
        b":",
        b";",
        b",",
        b"_",
        b"-",
        b"+",
        b"0",
        b"1",
        b"9",
        b"a",
        b'"',
        b"/",
        b"\\",
        b"%",
        b"#",
        b"?",
        b"@",
        b"[",
        b"*",
    ),
    *(
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"Host: x\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"chunked",
    ),
    *(
        b"0\r\n\r\n",
        b"GET / HTTP/1.1\r\n",
        b"Connection: close\r\n",
        b"Expect: 100-continue\r\n",
        b"%2f",
        b"%00",
        b"../",
    ),
)
LINES = (
    b"Content-Length: 3\r\n",
    b"Content-Length: 0\r\n",
    b"content-length:5\r\n",
    b"Content_Length: 4\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"transfer-encoding:\tchunked \r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer_Encoding: chunked\r\n",
    b"Host: other\r\n",
    b"Connection: content-length, host\r\n",
    b"Expect: 100-continue\r\n",
    b"Upgrade: websocket\r\nConnection: upgrade\r\n",
    b" folded\r\n",
    b"0\r\n\r\n",
    b"\r\n",
    b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
)


@dataclass(frozen=True)
class Generated:
    """One request; `body` is what it says, as long as nothing has been damaged."""

    data: bytes
    method: str
    target: bytes
    body: bytes
    is_damaged: bool
    climbs: bool = False
    """Its path leaves its own root: well written, and refused all the same."""


_token = st.text("abcXYZ019-!~_", min_size=1, max_size=8).map(str.encode)
_segment = st.text("abcXYZ019-._~!$&'()+;=:@,", max_size=8).map(str.encode)
_query = st.text("abc019-._~!$&'()+;=:@,/?%|^`{}<>", max_size=12).map(str.encode)
_value = st.binary(max_size=20).map(lambda raw: bytes(byte for byte in raw if byte >= 0x20 and byte != 0x7F))
_fields = st.lists(
    st.one_of(
        st.tuples(st.just(b"X-") | st.just(b"A"), _token, _value).map(lambda part: part[0] + part[1] + b": " + part[2]),
        st.sampled_from(
            (
                b"Connection: keep-alive",
                b"Connection: X-a, TE",
                b"Connection: close",
                b"TE: trailers",
                b"Cookie: a=b; c=d",
                b"Accept: */*",
                b"Via: 1.1 other",
                b"X-Forwarded-For: 1.2.3.4",
                b"Upgrade: h2c",
                b"Connection: upgrade, http2-settings",
                b"Expect: 100-continue",
                b"Content-Type: text/plain",
                b"Trailer: X-a",
                b"Keep-Alive: timeout=5",
            )
        ),
    ),
    max_size=6,
)


@st.composite
def _chunks(draw: st.DrawFn, body: bytes) -> bytes:
    framed, at = b"", 0
    while at < len(body):
        size = draw(st.integers(1, len(body) - at))
        extension = draw(st.sampled_from((b"", b"", b";a", b";a=b", b';a="b c"')))
        digits = draw(st.sampled_from((b"%x", b"%X", b"0%x"))) % size
        framed += digits + extension + b"\r\n" + body[at : at + size] + b"\r\n"
        at += size
    trailers = draw(st.sampled_from((b"", b"", b"X-a: b\r\n", b"Host: evil\r\nContent-Length: 7\r\n")))
    return framed + b"0\r\n" + trailers + b"\r\n"


@st.composite
def _damaged(draw: st.DrawFn, data: bytes) -> bytes:
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(("line", "seam", "anywhere")))
        if kind == "line":  # a line of its own
            at = draw(st.sampled_from([match.end() for match in re.finditer(b"\r\n", data)] or [0]))
            data = data[:at] + draw(st.sampled_from(LINES)) + data[at:]
            continue
        seams = [match.end() for match in re.finditer(rb"[\r:;, ]|\r(?=\n)|(?=[\r:;])", data)] or [0]
        at = draw(st.sampled_from(seams) if kind == "seam" else st.integers(0, len(data)))
        width = draw(st.sampled_from((0, 0, 0, 1, 1, 2, 4)))
        data = data[:at] + draw(st.sampled_from(NASTY)) + data[at + width :]
    return data


@st.composite
def requests(draw: st.DrawFn) -> Generated:
    """One in two as it should be, one in two damaged."""
    method = draw(st.sampled_from(METHODS))
    path = b"/" + b"/".join(draw(st.lists(_segment, max_size=3)))
    query = draw(st.one_of(st.just(b""), _query.map(lambda text: b"?" + text)))
    form = draw(st.sampled_from((b"", b"", b"", b"http://H", b"http://other:81")))
    body = draw(st.binary(max_size=60))
    framing = draw(st.sampled_from(("none", "none", "length", "length", "chunked", "chunked")))
    fields = [b"Host: h", *draw(_fields)]
    if framing == "none":
        body = framed = b""
        fields = [field for field in fields if not field.startswith(b"Expect")]
    elif framing == "length":
        framed = body
        fields.append(b"Content-Length: %d" % len(body))
    else:
        framed = draw(_chunks(body))
        fields.append(b"Transfer-Encoding: chunked")
    fields = draw(st.permutations(fields))
    line = b"%b %b%b%b HTTP/1.1" % (method.encode(), form, path, query)
    data = b"\r\n".join((line, *fields)) + b"\r\n\r\n" + framed
    is_damaged = draw(st.booleans())
    if is_damaged:
        data = draw(_damaged(data))
    return Generated(data, method, path + query, body, is_damaged, _climbs(path))


def _climbs(path: bytes) -> bool:
    depth = 0
    for segment in path.split(b"/"):
        if segment == b"..":
            depth -= 1
        elif segment not in (b"", b"."):
            depth += 1
        if depth < 0:
            return True
    return False
