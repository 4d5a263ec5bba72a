"""Who is at the other end of a client's connection, and who sends the request under way?

The socket's peer, or the address that its PROXY header names; and for a request that comes through a proxy we trust,
the client behind it (gateway/core/origin.py).
"""

from __future__ import annotations

from gateway.core.forwarding import Forwarding
from gateway.core.head import RequestHead
from gateway.core.origin import Origin, origin_of
from gateway.location import country_of
from gateway.proxy.listening import ListenerSettings

_UNASKED = ""


class Peer:
    """One connection's."""

    __slots__ = ("_address", "_country", "_settings", "client_ip", "forwarding", "is_trusted", "origin")

    def __init__(self, settings: ListenerSettings, address: str, *, identity: bytes | None = None) -> None:
        """`identity`: what its certificate says, empty without one; None for a plain connection."""
        self._settings = settings
        self._address = address
        self._country: str | None = _UNASKED
        self.client_ip = address
        """Of the request under way."""
        self.is_trusted = settings.trust.includes(address)
        self.forwarding = Forwarding(
            node_id=settings.node_id,
            client_ip=address,
            port=settings.port,
            scheme="http" if identity is None else "https",
            identity=identity or b"",
        )
        self.origin: Origin | None = None
        """What a trusted peer says of the request under way; None where the peer is the client."""

    def identify(self, head: RequestHead) -> bytes | None:
        """Find the client of a request from a trusted peer; returns the request id that the peer gave it, if any."""
        origin = self.origin = origin_of(head, peer=self._address, trust=self._settings.trust)
        if origin.client_ip != self.client_ip:
            self.client_ip = origin.client_ip
            self._country = _UNASKED
        return origin.request_id

    def country(self) -> str | None:
        """Of the client; None where it is unknown."""
        if self._country == _UNASKED:
            self._country = country_of(self.client_ip)
        return self._country
