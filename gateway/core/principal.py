"""Who is the client, as it has proved? A name, what its token claims, and what the upstream is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Principal:
    """One client."""

    name: str
    """User, key name, subject; never a secret."""
    claims: Mapping[str, str] = field(default_factory=_nothing)
    """Those that the route counts or names tenants by."""
    fields: bytes = b""
    """Field lines for the upstream, each ended by CRLF."""


NOBODY: Final = Principal("")
"""Where a route asks for no proof."""
