"""Where a request's body ends, by length or in chunks."""

from __future__ import annotations

import pytest

from gateway.core.head import CHUNKED
from gateway.core.request_body import RequestBody
from gateway.errors import RequestRefused


def test_a_known_length_is_counted_and_what_follows_is_not_the_bodys() -> None:
    body = RequestBody(5, limit=None)
    assert (body.feed(b"abc"), body.is_done) == (b"abc", False)
    assert (body.feed(b"deGET /"), body.is_done) == (b"de", True)
    assert body.rest == b"GET /"


def test_chunks_are_unframed() -> None:
    body = RequestBody(CHUNKED, limit=None)
    assert body.feed(b"3\r\nabc\r\n0\r\n\r\nGET /") == b"abc"
    assert body.is_done
    assert body.rest == b"GET /"


def test_broken_chunks_are_a_400_and_too_many_bytes_a_413() -> None:
    with pytest.raises(RequestRefused) as broken:
        RequestBody(CHUNKED, limit=None).feed(b"zz\r\n")
    assert broken.value.status == 400
    body = RequestBody(CHUNKED, limit=3)
    assert body.feed(b"3\r\nabc\r\n") == b"abc"
    with pytest.raises(RequestRefused) as large:
        body.feed(b"1\r\nd\r\n")
    assert large.value.status == 413
