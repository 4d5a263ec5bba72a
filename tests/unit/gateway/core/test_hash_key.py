"""What keeps requests together, also when it is malformed."""

from __future__ import annotations

import pytest

from gateway.core.hash_key import key_of
from gateway.core.head import parse_request_head


@pytest.mark.parametrize(
    ("hash_on", "fields", "key"),
    [
        ("ip", "", b"10.1.2.3"),
        ("header:x-user", "X-User: alice\r\n", b"alice"),
        ("header:x-user", "X-Other: alice\r\n", b""),
        ("cookie:sid", "Cookie: a=b; sid=42; c=d\r\n", b"42"),
        ("cookie:sid", 'Cookie: sid="42"\r\n', b"42"),
        ("cookie:sid", "Cookie: ;;=;sid;=42; xsid=1\r\n", b""),
        ("cookie:sid", "Cookie: a=1\r\nCookie: sid=2\r\n", b"2"),
    ],
)
def test_the_key_is_the_address_the_field_or_the_cookie(hash_on: str, fields: str, key: bytes) -> None:
    head = parse_request_head(f"GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n".encode())
    assert key_of(hash_on, head, "10.1.2.3") == key
