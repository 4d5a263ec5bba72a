"""Who is the client that a load balancer connects for? The PROXY protocol, versions 1 and 2, as HAProxy specifies it.

    version 1    PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\\r\\n                 one line of at most 107 bytes
    version 2    12 signature bytes, version and command, family, length, addresses, TLVs

The header comes before the first byte of everything else. Only listeners that are told so expect it, and only from
senders that are trusted; without it, or with a broken one, the connection is closed without a word.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
MAX_V1_BYTES: Final = 107
MAX_V2_BYTES: Final = 4096
"""Addresses and TLVs (certificates among them) of real senders fit; 64 KiB, which the length could say, is abuse."""

_LOCAL, _PROXY = 0x20, 0x21
_LENGTHS: Final = {0x11: 12, 0x21: 36}
"""TCP over IPv4, TCP over IPv6: bytes of addresses and ports."""


class ProxyHeaderRefused(Exception):
    """The connection does not begin with a PROXY header that we can use."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """`client_ip` is None for a health check of the sender's own (LOCAL, UNKNOWN): its own address then stands."""

    client_ip: str | None
    size: int
    """Bytes of the header; what follows is the connection's own."""


def parse_proxy_header(data: bytes) -> ProxyHeader | None:
    """The header at the beginning of `data`, or None while it has not all come. Raises `ProxyHeaderRefused`."""
    if data.startswith(SIGNATURE[: len(data)]):
        return _parse_v2(data)
    if data.startswith(b"PROXY "[: len(data)]):
        return _parse_v1(data)
    raise ProxyHeaderRefused("a connection that does not begin with a PROXY header")


def _parse_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, MAX_V1_BYTES)
    if end < 0:
        if len(data) >= MAX_V1_BYTES:
            raise ProxyHeaderRefused("a PROXY line above 107 bytes")
        return None
    parts = data[:end].split(b" ")
    if parts[1:2] == [b"UNKNOWN"]:
        return ProxyHeader(None, end + 2)
    if len(parts) != 6 or parts[1] not in (b"TCP4", b"TCP6") or not (_is_port(parts[4]) and _is_port(parts[5])):
        raise ProxyHeaderRefused("a PROXY line that is not 'PROXY TCP4|TCP6 source destination port port'")
    source, destination = _address(parts[2]), _address(parts[3])
    if {source.version, destination.version} != {4 if parts[1] == b"TCP4" else 6}:
        raise ProxyHeaderRefused("a PROXY line whose addresses are not of the family it names")
    return ProxyHeader(str(source), end + 2)


def _address(text: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text.decode("ascii"))
    except ValueError as error:  # UnicodeDecodeError is one
        raise ProxyHeaderRefused("a PROXY line with something else where an address belongs") from error


def _is_port(text: bytes) -> bool:
    return text.isdigit() and len(text) <= 5 and int(text) <= 65535


def _parse_v2(data: bytes) -> ProxyHeader | None:
    if len(data) < 16:
        return None
    command, family, length = data[12], data[13], int.from_bytes(data[14:16], "big")
    if command not in (_LOCAL, _PROXY):
        raise ProxyHeaderRefused("a PROXY header of another version or command than 2 and LOCAL or PROXY")
    size = 16 + length
    if size > MAX_V2_BYTES:
        raise ProxyHeaderRefused(f"a PROXY header above {MAX_V2_BYTES} bytes")
    if len(data) < size:
        return None
    if command == _LOCAL:
        return ProxyHeader(None, size)
    addresses = _LENGTHS.get(family)
    if addresses is None:
        return ProxyHeader(None, size)  # UNSPEC, UDP, Unix sockets: nothing that names a TCP client
    if length < addresses:
        raise ProxyHeaderRefused("a PROXY header too short for its addresses")
    raw = data[16:20] if family == 0x11 else data[16:32]
    return ProxyHeader(str(ipaddress.ip_address(raw)), size)
