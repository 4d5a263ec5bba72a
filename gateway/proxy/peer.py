"""Who is at the other end of a client's connection, and who sends the request under way?

The socket's peer, or the address that its PROXY header names; and for a request that comes through a proxy we trust,
the client behind it (gateway/core/origin.py).
"""

from __future__ import annotations

from dataclasses import replace

from gateway.core.forwarding import Forwarding
from gateway.core.head import RequestHead, without_field
from gateway.core.hops import Hop
from gateway.core.origin import Origin, country_told, origin_of
from gateway.proxy.listening import ListenerSettings

_UNASKED = ""


class Peer:
    """One connection's."""

    __slots__ = ("_address", "_country", "_settings", "client_ip", "forwarding", "identity", "is_trusted", "origin")

    def __init__(self, settings: ListenerSettings, address: str, *, identity: bytes | None = None) -> None:
        """`identity`: what its certificate says, empty without one; None for a plain connection."""
        self._settings = settings
        self._address = address
        self._country: str | None = _UNASKED
        self.client_ip = address
        """Of the request under way."""
        self.identity = identity or b""
        """Field lines that tell of a verified certificate; empty without one."""
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
        if self._settings.country_header:  # where it says nothing of use, the address decides
            self._country = country_told(head, self._settings.country_header) or _UNASKED
        return origin.request_id

    def follow(self, hop: Hop, head: RequestHead) -> bytes | None:
        """Another gateway forwards the request and says whose it is; returns the id that it gave the request."""
        origin = origin_of(head, peer=self._address, trust=self._settings.trust)
        self.origin = replace(origin, client_ip=hop.client_ip)
        self.client_ip, self._country = hop.client_ip, hop.country
        return origin.request_id

    def answer_for_itself(self, head: RequestHead) -> None:
        """The peer is no proxy of ours: it is the client, and what it says of its country goes nowhere."""
        if self.origin is not None:  # the request before was forwarded by another gateway
            self.origin = None
            self.client_ip, self._country = self._address, _UNASKED
        name = self._settings.country_header
        if name and b"\r\n" + name + b":" in head.lowered:
            head.forwarded_fields = without_field(head.forwarded_fields, name)

    @property
    def is_secure(self) -> bool:
        """Whether the client, and not only the proxy before us, uses TLS."""
        if self.origin is not None and self.origin.proto is not None:
            return self.origin.proto == b"https"
        return self._settings.scheme == b"https"

    def country(self) -> str | None:
        """Of the client; None where it is unknown."""
        if self._country == _UNASKED:
            self._country = self._settings.locate(self.client_ip)
        return self._country
