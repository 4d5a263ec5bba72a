"""May a client from there use this route? By its network and its country, before it has said who it is.

    deny networks ──> allow networks ──> country denied ──> country allowed, or unknown and welcome

A denial is final, whoever else allows. An address that cannot be read is refused wherever a network is named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from config.models.access import Access
from gateway.core import reasons
from gateway.core.networks import Network, NetworkSet, packed
from gateway.core.problems import Answer


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Networks and countries of one route."""

    route: str
    allow: NetworkSet | None
    deny: NetworkSet | None
    countries_allowed: frozenset[str]
    countries_denied: frozenset[str]
    unknown_is_denied: bool
    asks_country: bool

    def refuses(self, address: str, country: Callable[[], str | None]) -> Answer | None:
        """The refusal, or None. `country` is asked only where the route names countries."""
        if self.deny is not None or self.allow is not None:
            number = packed(address)
            if number is None or (self.deny is not None and self.deny.includes(number)):
                return forbidden(reasons.ADDRESS_DENIED, f"address {address}, which route {self.route} denies")
            if self.allow is not None and not self.allow.includes(number):
                return forbidden(reasons.ADDRESS_DENIED, f"address {address}, which route {self.route} does not allow")
        if self.asks_country:
            return self._refuses_country(country())
        return None

    def _refuses_country(self, country: str | None) -> Answer | None:
        if country is None:
            if self.unknown_is_denied:
                return forbidden(
                    reasons.COUNTRY_DENIED, f"an address of unknown country, which route {self.route} denies"
                )
        elif country in self.countries_denied or (self.countries_allowed and country not in self.countries_allowed):
            return forbidden(reasons.COUNTRY_DENIED, f"country {country}, which route {self.route} does not allow")
        return None


def access_rules(route: str, access: Access) -> AccessRules | None:
    """As configured; None where everybody may come."""
    countries = access.countries
    asks_country = bool(countries.allow or countries.deny) or countries.unknown == "deny"
    if not (access.allow or access.deny or asks_country):
        return None
    return AccessRules(
        route=route,
        allow=_set(access.allow),
        deny=_set(access.deny),
        countries_allowed=frozenset(countries.allow),
        countries_denied=frozenset(countries.deny),
        unknown_is_denied=countries.unknown == "deny",
        asks_country=asks_country,
    )


def _set(networks: Sequence[Network]) -> NetworkSet | None:
    return NetworkSet(networks) if networks else None


def forbidden(reason: str, detail: str) -> Answer:
    """403: who the client is, is not the question any more."""
    return Answer(status=403, reason=reason, detail=detail, proxy_status="http_request_denied")


def unauthorized(reason: str, detail: str, challenge: str) -> Answer:
    """401 with its `WWW-Authenticate` (RFC 9110 section 11.6.1)."""
    return Answer(
        status=401,
        reason=reason,
        detail=detail,
        proxy_status="http_request_denied",
        fields=(f"WWW-Authenticate: {challenge}".encode(),),
    )
