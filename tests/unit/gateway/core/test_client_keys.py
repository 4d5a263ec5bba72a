"""What tells clients apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.client_keys import cookie, key_of, key_part, value_of
from gateway.core.head import parse_request_head
from gateway.core.principal import NOBODY, Principal

HEAD = parse_request_head(
    b'POST / HTTP/1.1\r\nHost: h\r\nX-Team: a\r\nx-team: b\r\nCookie: junk; s=1; s=2\r\nCookie: t = "3" \r\n\r\n'
)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("ip", b"c0000201"),
        ("method", b"POST"),
        ("route", b"r"),
        ("service", b"api,canary"),
        ("header:X-Team", b"a,b"),
        ("header:X-None", b""),
        ("cookie:s", b"1"),
        ("cookie:t", b"3"),
        ("cookie:junk", b""),
        ("jwt:tenant", b"acme"),
        ("jwt:none", b""),
    ],
)
def test_each_kind_has_its_value_and_what_is_not_there_is_empty(part: str, value: bytes) -> None:
    principal = Principal("p", {"tenant": "acme"})
    assert value_of(key_part(part, ["api", "canary"]), HEAD, "192.0.2.1", principal, b"r") == value


def test_parts_cannot_be_shifted_into_each_other() -> None:
    parts = [key_part("header:a"), key_part("header:b")]
    heads = [
        parse_request_head(b"GET / HTTP/1.1\r\nHost: h\r\nA: %b\r\nB: %b\r\n\r\n" % pair)
        for pair in ((b"x1:", b"y"), (b"x", b"1:y"), (b"", b"x1:y"))
    ]
    assert len({key_of(b"l\0", parts, head, "", NOBODY, b"r") for head in heads}) == 3


@given(st.lists(st.binary(max_size=40), max_size=4), st.binary(min_size=1, max_size=4))
def test_whatever_is_in_a_cookie_field_it_is_read(fields: list[bytes], name: bytes) -> None:
    assert isinstance(cookie(fields, name), bytes)
