"""What does one gateway tell the next of a request that it forwards to it, and may that be believed?

    origin:  client, region, route and service are decided ──seal──> `Tidegate-Hop`, under the mesh's signature
    next:    open ──> Hop       it is served here, by that decision: no other region, nobody asked again who it is
                 └──> a sentence why not: cut, forged, too old, for another region or request, seen before

A hop is good for one request (method and target are signed too), one region, and `VALID_S` seconds; within them a node
takes it once, on whichever of its workers. What is signed is nobody's secret. A field of this name is never forwarded
as it came.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec
import xxhash

from config.core.signing import Signer

FIELD: Final = b"Tidegate-Hop"
NAME: Final = b"tidegate-hop"
PURPOSE: Final = "hop"
VALID_S: Final = 15.0
"""Either way: clocks of nodes may differ by some seconds, and a retry is signed anew."""


class Hop(msgspec.Struct, frozen=True, array_like=True):
    """One request's, from one gateway to the next."""

    at: float
    """Unix seconds at which it was signed."""
    nonce: int
    source: str
    """The node that forwards."""
    destination: str
    """The region whose gateway it is for."""
    route: str
    service: str
    client_ip: str
    country: str | None
    is_copy: bool
    """For a mirror."""
    bound_to: str
    """What `bound_to` makes of the request."""


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Hop).decode


def bound_to(method: str, path: bytes, query: bytes) -> str:
    """The request that a hop belongs to, in short. The signature is over this; it needs no secret of its own."""
    return xxhash.xxh3_128_hexdigest(b"%b %b%b" % (method.encode(), path, query))


def field_line(signer: Signer, hop: Hop) -> bytes:
    return b"%b: %b\r\n" % (FIELD, signer.seal(PURPOSE, _encode(hop)).encode())


class Remembers(Protocol):
    """The numbers of hops that were taken already, by any worker of the node (gateway/seen.py)."""

    def is_new(self, number: int, *, until: float, now: float) -> bool: ...


class HopLedger:
    """One data plane's."""

    def __init__(self, seen: Remembers) -> None:
        self._seen = seen

    def open(self, signer: Signer, sealed: str, *, region: str, request: str, now: float) -> Hop | str:
        """The hop, or why it is none. `now` is wall seconds; `request` is what `bound_to` makes of it."""
        payload = signer.open(PURPOSE, sealed)
        if payload is None:
            return "a hop that no node of this mesh has signed"
        try:
            hop = _decode(payload)
        except msgspec.DecodeError:
            return "a hop of another version"
        return _fault(hop, region=region, request=request, now=now) or self._take(hop, now)

    def _take(self, hop: Hop, now: float) -> Hop | str:
        # A signature from the future is good for longer.
        if self._seen.is_new(hop.nonce, until=now + 2 * VALID_S, now=now):
            return hop
        return "a hop that was here before"


def _fault(hop: Hop, *, region: str, request: str, now: float) -> str:
    if hop.destination != region:
        return f"a hop for region {hop.destination}"
    if hop.bound_to != request:
        return "a hop of another request"
    if abs(now - hop.at) > VALID_S:
        return f"a hop signed {now - hop.at:.0f} s ago, at most {VALID_S:.0f} s are believed"
    return ""
