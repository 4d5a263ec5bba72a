"""Who gets an answer compressed, and how its head tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.compression import encoded_head, is_worth_it, negotiated, vary_line
from gateway.core.header_rules import facts_of
from gateway.core.response import ResponseHead, parse_response_head

ALL = ("zstd", "br", "gzip")


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        (b"", None),
        (b"gzip", "gzip"),
        (b"gzip, br", "br"),
        (b"GZIP;Q=0.9, br;q=0.8", "gzip"),
        (b"gzip ; q = 1.000 , zstd;q=0.999", "gzip"),
        (b"*", "zstd"),
        (b"*;q=0.1, gzip;q=0.5", "gzip"),
        (b"zstd;q=0, *", "br"),
        (b"identity, gzip;q=0.5", None),
        (b"identity;q=0.5, gzip;q=0.5", "gzip"),
        (b"identity;q=0", None),
        (b"gzip;q=0", None),
        (b"x-gzip", "gzip"),
        (b"gzip;q=2", None),
        (b"gzip;q=-1", None),
        (b"gzip;q=0.0001", None),
        (b"gzip;level=1", None),
        (b"deflate, compress", None),
        (b",,;;==", None),
    ],
)
def test_the_client_decides_and_among_equals_our_order(accepted: bytes, chosen: str | None) -> None:
    assert negotiated(accepted, ALL) == chosen


@given(accepted=st.binary(max_size=100))
def test_nothing_that_is_sent_breaks_it(accepted: bytes) -> None:
    assert negotiated(accepted, ALL) in (None, *ALL)


def answer(*lines: str, status: int = 200, length: int = 5000) -> ResponseHead:
    fields = [f"HTTP/1.1 {status} X", "Content-Type: text/html", f"Content-Length: {length}", *lines, "", ""]
    return parse_response_head("\r\n".join(fields).encode(), method="GET")


@pytest.mark.parametrize(
    "kind", ["text/css", "application/json; charset=utf-8", "application/hal+json", "image/svg+xml"]
)
def test_text_is_worth_it(kind: str) -> None:
    head = answer()
    facts = {**facts_of(head.forwarded_fields), b"content-type": kind.encode()}
    assert is_worth_it(head, facts, method="GET", min_size=1024)


@pytest.mark.parametrize(
    "kind", ["image/png", "application/zip", "video/mp4", "application/octet-stream", "", "nonsense"]
)
def test_what_is_compressed_already_is_not(kind: str) -> None:
    facts = {b"content-type": kind.encode()}
    assert not is_worth_it(answer(), facts, method="GET", min_size=1024)


def test_the_head_of_a_compressed_answer_is_another_representations() -> None:
    head = answer(
        'ETag: "a"', "Accept-Ranges: bytes", "Content-MD5: x", "Digest: y", "Content-Encoding: identity", "X: 1"
    )
    changed = encoded_head(head, facts_of(head.forwarded_fields), "br")
    assert changed.forwarded_fields == b'Content-Type: text/html\r\nX: 1\r\nETag: W/"a"\r\nContent-Encoding: br\r\n'
    assert changed.body_length == -1
    assert head.body_length == 5000
    assert b'ETag: "a"' in head.forwarded_fields


def test_a_weak_tag_stays_as_it_is() -> None:
    head = answer('ETag: W/"a"')
    assert b'ETag: W/"a"\r\n' in encoded_head(head, facts_of(head.forwarded_fields), "br").forwarded_fields


@pytest.mark.parametrize(
    ("vary", "line"),
    [
        (b"", b"Vary: Accept-Encoding\r\n"),
        (b"Origin", b"Vary: Accept-Encoding\r\n"),
        (b"origin, ACCEPT-encoding", b""),
        (b"*", b""),
    ],
)
def test_vary_is_said_once(vary: bytes, line: bytes) -> None:
    assert vary_line({b"vary": vary}) == line
