"""Who sends an imagined request, and from which country? Judged by what a listener believes of a live one.

an address that the listener trusts    is a proxy: the client is whom it forwards for, the country what it says
any other address                      is the client: its fields about itself are not believed
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from config.models import Config
from gateway.core.head import RequestHead
from gateway.core.origin import Trust, country_told, origin_of


@dataclass(frozen=True, slots=True)
class Sender:
    """Of one request."""

    client_ip: str
    country: str | None
    country_by: str | None
    """`address`, or the name of the field that said it; None where nobody kept that."""


@dataclass(frozen=True, slots=True)
class Senders:
    """Those of one configuration."""

    trust: Mapping[str, Trust]
    """By listener, in the order of the configuration."""
    country_header: str | None

    @classmethod
    def of(cls, config: Config) -> Senders:
        trust = {
            listener.name: Trust([str(network) for network in listener.trusted_proxies])
            for listener in config.listeners
        }
        return cls(trust, config.geo.country_header)

    def sender(self, head: RequestHead, address: str, listener: str, locate: Callable[[str], str | None]) -> Sender:
        """Of a request from `address`. `locate` finds the country of an address."""
        trust = self.trust.get(listener) or next(iter(self.trust.values()))
        if not trust.includes(address):
            return Sender(address, locate(address), "address")
        client_ip = origin_of(head, peer=address, trust=trust).client_ip
        if self.country_header is not None:
            told = country_told(head, self.country_header.lower().encode())
            if told is not None:
                return Sender(client_ip, told, self.country_header)
        return Sender(client_ip, locate(client_ip), "address")


def sender_of(
    head: RequestHead,
    address: str,
    listener: str,
    locate: Callable[[str], str | None],
    senders: Senders | None,
) -> Sender:
    """The same; without `senders` the address is the client's, found already."""
    if senders is None:
        return Sender(address, locate(address), None)
    return senders.sender(head, address, listener, locate)


class Imagined:
    """Whoever would send it, without a certificate."""

    def __init__(self, client_ip: str, country: str | None) -> None:
        self.client_ip = client_ip
        self.identity = b""
        self._country = country

    def country(self) -> str | None:
        return self._country
