"""What tells one client from another? The values that limits count by and that name tenants.

    ip  method  route  service  header:X  cookie:X  jwt:claim

A value that is not there is empty: all requests without it are counted together, so leaving it out gains nobody
anything. An address of IPv6 counts by its /64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.head import RequestHead
from gateway.core.networks import client_of
from gateway.core.principal import Principal


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One value."""

    kind: str
    """ip, method, route, service, header, cookie, jwt."""
    name: str = ""
    """Of the claim."""
    field: bytes = b""
    """Of header or cookie; a header's in lower case. Of a service, what it counts by."""


def key_part(text: str, services: Sequence[str] = ()) -> KeyPart:
    """As configured, on a route to these `services`: those of a split count as one."""
    kind, _, name = text.partition(":")
    if kind == "service":
        return KeyPart(kind, field=",".join(services).encode())
    return KeyPart(kind, name, name.lower().encode() if kind == "header" else name.encode())


def value_of(part: KeyPart, head: RequestHead, client_ip: str, principal: Principal, route: bytes) -> bytes:
    kind = part.kind
    if kind == "ip":
        return client_of(client_ip)
    if kind == "route":
        return route
    if kind == "jwt":
        return principal.claims.get(part.name, "").encode("utf-8", "surrogatepass")
    if kind == "method":
        return head.method.encode()
    if kind == "header":
        return b",".join(head.values(part.field))
    return part.field if kind == "service" else cookie(head.values(b"cookie"), part.field)


def key_of(  # noqa: PLR0917 - by position, for speed
    prefix: bytes, parts: Sequence[KeyPart], head: RequestHead, client_ip: str, principal: Principal, route: bytes
) -> bytes:
    """All values as one name; lengths before them, so that no two keys read the same."""
    key = prefix
    for part in parts:
        value = value_of(part, head, client_ip, principal, route)
        key += b"%d:%b" % (len(value), value)
    return key


def cookie(fields: Sequence[bytes], name: bytes) -> bytes:
    """The first cookie of that name (RFC 6265 section 4.2); what is malformed around it is passed over."""
    for field in fields:
        for pair in field.split(b";"):
            key, equals, value = pair.partition(b"=")
            if equals and key.strip(b" \t") == name:
                return value.strip(b' \t"')
    return b""
