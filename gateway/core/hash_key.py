"""What of a request do the hashing algorithms keep together? The client's address, a field, or a cookie.

A request without that field or cookie has no key: it goes wherever the load is least.
"""

from __future__ import annotations

from typing import Final

from gateway.core.head import RequestHead
from gateway.core.routes import Facts

MAX_KEY_BYTES: Final = 4096
"""A longer value is hashed as far as this: nobody's session differs only beyond."""


def key_of(hash_on: str, head: RequestHead, client_ip: str) -> bytes:
    """`hash_on` is `ip`, `header:x` (lowered) or `cookie:X`."""
    if hash_on == "ip":
        return client_ip.encode()
    kind, _, name = hash_on.partition(":")
    if kind == "header":
        return field_of(head, name.encode())[:MAX_KEY_BYTES]
    return cookie_of(head, name.encode())[:MAX_KEY_BYTES]


def field_of(head: RequestHead, lowered_name: bytes) -> bytes:
    """The first field's value of this name, empty where there is none."""
    values = head.values(lowered_name)
    return values[0] if values else b""


def cookie_of(head: RequestHead, name: bytes) -> bytes:
    """The first cookie's value of this name, empty where there is none or it is malformed."""
    values = cookies_named(head, name)
    return values[0] if values else b""


def cookies_named(head: Facts, name: bytes) -> list[bytes]:
    """Every cookie's value of this name: a client may send one for each path and domain that it learnt it for."""
    found: list[bytes] = []
    for pair in b";".join(head.values(b"cookie")).split(b";"):
        key, equals, value = pair.strip(b" \t").partition(b"=")
        if equals and key == name:
            found.append(value.strip(b'"'))
    return found
