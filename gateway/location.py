"""From which country does a client come? By the registries' own data, which the package `iptocc` carries.

Private, loopback, link-local and other reserved addresses are of no country. An operator's own database is asked in
their place where the configuration names one (gateway/locator.py).
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

import iptocc

CACHED_ADDRESSES = 65536
"""A few MiB; an address costs 2 us to parse and look up."""


def is_public(address: str) -> bool:
    """Whether an address may belong to a country at all. An IPv4 address inside IPv6 is the IPv4 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return parsed.is_global if mapped is None else mapped.is_global


@lru_cache(maxsize=CACHED_ADDRESSES)
def registered_country(address: str) -> str | None:
    """ISO 3166-1 alpha-2 code, or None where none is known."""
    if not is_public(address):
        return None
    country: str | None = iptocc.country_code(address.lower().removeprefix("::ffff:"))
    return country
