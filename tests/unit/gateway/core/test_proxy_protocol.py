"""PROXY headers of both versions, whole, split and broken."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.proxy_protocol import (
    MAX_V2_BYTES,
    SIGNATURE,
    ProxyHeader,
    ProxyHeaderRefused,
    parse_proxy_header,
)


def v2(command: int = 0x21, family: int = 0x11, body: bytes = b"") -> bytes:
    return SIGNATURE + bytes((command, family)) + len(body).to_bytes(2, "big") + body


IPV4 = ipaddress.ip_address("192.0.2.7").packed + ipaddress.ip_address("192.0.2.1").packed + b"\x13\x88\x00\x50"
IPV6 = ipaddress.ip_address("2001:db8::7").packed * 2 + b"\x13\x88\x00\x50"

GOOD = [
    (b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 80\r\n", "192.0.2.7"),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 5000 80\r\n", "2001:db8::7"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
    (v2(body=IPV4), "192.0.2.7"),
    (v2(body=IPV4 + b"\x03\x00\x04abcd"), "192.0.2.7"),
    (v2(family=0x21, body=IPV6), "2001:db8::7"),
    (v2(command=0x20), None),
    (v2(family=0x00), None),
    (v2(family=0x31, body=b"\0" * 216), None),
]


@pytest.mark.parametrize(("header", "client"), GOOD)
def test_a_header_names_the_client_and_ends_where_the_connection_begins(header: bytes, client: str | None) -> None:
    assert parse_proxy_header(header + b"GET /") == ProxyHeader(client, len(header))


@pytest.mark.parametrize("header", [header for header, _ in GOOD])
def test_a_header_that_has_not_all_come_is_waited_for(header: bytes) -> None:
    assert all(parse_proxy_header(header[:size]) is None for size in range(1, len(header)))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 5000\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 99999\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 -1 80\r\n",
        b"PROXY TCP4 2001:db8::7 2001:db8::1 5000 80\r\n",
        b"PROXY TCP6 192.0.2.7 192.0.2.1 5000 80\r\n",
        b"PROXY TCP4 192.0.2.7\xe9 192.0.2.1 5000 80\r\n",
        b"PROXY UDP4 192.0.2.7 192.0.2.1 5000 80\r\n",
        b"PROXY " + b"x" * 200,
        v2(command=0x11, body=IPV4),
        v2(command=0x22, body=IPV4),
        v2(body=IPV4[:8]),
        v2(body=b"x" * MAX_V2_BYTES),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ProxyHeaderRefused):
        parse_proxy_header(data)


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_but_parse_wait_or_be_refused(data: bytes) -> None:
    for candidate in (data, SIGNATURE + data, b"PROXY " + data):
        try:
            header = parse_proxy_header(candidate)
        except ProxyHeaderRefused:
            continue
        assert header is None or header.size <= len(candidate)
