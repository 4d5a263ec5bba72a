"""From which country does a client come? By the registries' own data, which the package `iptocc` carries.

Private, loopback, link-local and other reserved addresses are of no country. A location orders regions; it never
widens what residency allows.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

import iptocc

CACHED_ADDRESSES = 65536
"""A few MiB; an address costs 2 us to parse and look up."""


@lru_cache(maxsize=CACHED_ADDRESSES)
def country_of(address: str) -> str | None:
    """ISO 3166-1 alpha-2 code, or None where none is known."""
    try:
        if not ipaddress.ip_address(address).is_global:
            return None
    except ValueError:
        return None
    country: str | None = iptocc.country_code(address)
    return country
