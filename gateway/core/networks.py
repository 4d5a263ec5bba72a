"""Is this address in one of these networks? Sorted ranges of packed addresses, and one bisection a question.

An IPv4 address inside IPv6 (`::ffff:a.b.c.d`) is the IPv4 address: nobody slips past a list by spelling.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

V6_OFFSET: Final = 1 << 32
"""IPv6 addresses stand after all of IPv4 on one line, so that one list holds both."""


@lru_cache(maxsize=4096)
def packed(address: str) -> int | None:
    """The address as one number, None for what is none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return int(mapped) if mapped is not None else V6_OFFSET + int(parsed)
    return int(parsed)


@lru_cache(maxsize=4096)
def client_of(address: str) -> bytes:
    """Whom an address stands for when clients are counted: the address, of IPv6 its /64, which one client has whole."""
    number = packed(address)
    if number is None:
        return address.encode("utf-8", "surrogateescape")
    return b"%x" % number if number < V6_OFFSET else b"6:%x" % ((number - V6_OFFSET) >> 64)


class NetworkSet:
    """Networks, merged. Immutable."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, networks: Iterable[Network]) -> None:
        spans = sorted(_span(network) for network in networks)
        starts: list[int] = []
        ends: list[int] = []
        for start, end in spans:
            if ends and start <= ends[-1] + 1:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
        self._starts = starts
        self._ends = ends

    def includes(self, number: int) -> bool:
        """`number` as `packed` makes it."""
        at = bisect_right(self._starts, number) - 1
        return at >= 0 and number <= self._ends[at]


def _span(network: Network) -> tuple[int, int]:
    first, last = int(network.network_address), int(network.broadcast_address)
    if isinstance(network, ipaddress.IPv6Network):
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= 96:
            return int(mapped), int(mapped) + last - first
        return V6_OFFSET + first, V6_OFFSET + last
    return first, last
