"""Who really sent this request, when it came through proxies that we trust?

    untrusted peer    what it says of itself is dropped: it is the client
    trusted peer      X-Forwarded-For (else Forwarded) is walked from the right, past trusted addresses; the first other
                      one is the client. What is no address ends the walk: the last address before it is the client.

A chain can be forged only to the left of the first untrusted address, so nothing there is believed; it is passed on,
for those behind us who may know more.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from config.core.country_record import country_of_code
from gateway.core.head import RequestHead

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._~-]{1,128}")
_HOST: Final = re.compile(rb"[A-Za-z0-9._-]{1,255}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")
_FORWARDED_FOR: Final = re.compile(r'(?:^|[;,]\s*)for=(?:"([^"]*)"|([^;,\s]*))', re.IGNORECASE)
MAX_HOPS: Final = 32
"""Longer chains are forged or looping; what is beyond is not looked at."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Trust:
    """Whose word is believed."""

    def __init__(self, networks: Sequence[str]) -> None:
        """CIDRs."""
        self._networks: tuple[Network, ...] = tuple(ipaddress.ip_network(text, strict=False) for text in networks)

    def includes(self, address: str) -> bool:
        if not self._networks:
            return False
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        parsed = mapped if mapped is not None else parsed
        return any(parsed in network for network in self._networks if network.version == parsed.version)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a trusted peer says of a request."""

    client_ip: str
    chain: tuple[str, ...]
    """Every hop that is known, the peer last."""
    proto: bytes | None
    host: bytes | None
    port: bytes | None
    request_id: bytes | None


def origin_of(head: RequestHead, *, peer: str, trust: Trust) -> Origin:
    """The origin of a request that came from the trusted `peer`."""
    hops = [hop.strip() for value in head.values(b"x-forwarded-for") for hop in value.decode("latin-1").split(",")]
    if not hops:
        text = ",".join(value.decode("latin-1") for value in head.values(b"forwarded"))
        hops = [quoted or plain for quoted, plain in _FORWARDED_FOR.findall(text)]
    chain = [*hops[-MAX_HOPS:], peer]
    proto = _single(head, b"x-forwarded-proto")
    host = _single(head, b"x-forwarded-host")
    port = _single(head, b"x-forwarded-port")
    request_id = _single(head, b"x-request-id")
    return Origin(
        client_ip=_client(chain, trust),
        chain=tuple(_plain(hop) or "unknown" for hop in chain),
        proto=proto if proto in (b"http", b"https") else None,
        host=host if host is not None and _HOST.fullmatch(host) else None,
        port=port if port is not None and port.isdigit() and len(port) <= 5 else None,
        request_id=request_id if request_id is not None and _REQUEST_ID.fullmatch(request_id) else None,
    )


def country_told(head: RequestHead, field: bytes) -> str | None:
    """What a trusted peer says of the client's country; `field` in lower case. None where that is of no use."""
    values = head.values(field)
    return country_of_code(values[0].decode("latin-1")) if len(values) == 1 else None


def _single(head: RequestHead, name: bytes) -> bytes | None:
    """A field's value when there is just one; of a list, the one that the nearest proxy added."""
    values = head.values(name)
    return values[-1].rpartition(b",")[2].strip() if values else None


def _client(chain: Sequence[str], trust: Trust) -> str:
    client = chain[-1]
    for hop in reversed(chain):
        address = _plain(hop)
        if address is None:
            break
        client = address
        if not trust.includes(address):
            break
    return client


def _plain(hop: str) -> str | None:
    """An address without brackets and port, or None where it is none."""
    text = hop
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
