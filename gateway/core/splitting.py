"""Which of a route's services gets this client? By weight, and the same client always the same one.

    a signed cookie that names a service of the split ──> that one, as long as its weight is above 0
    else                                              ──> by a hash of the client, laid on the weights side by side

A change of weights moves only the clients between the old border and the new one. The cookie holds a hash of the
service's name under the mesh's signature: nobody can choose a service by writing one, or read which one it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import xxhash

from config.core.signing import Signer
from config.models import Route
from gateway.core.hash_key import cookies_named
from gateway.core.regions import place_of
from gateway.core.routes import Facts

COOKIE_MAX_AGE_S: Final = 30 * 86400
_MAX_COOKIES: Final = 4
"""Of the same name, that are looked at: each costs a signature."""


@dataclass(frozen=True, slots=True)
class SplitRules:
    """One route's."""

    route: str
    services: tuple[str, ...]
    borders: tuple[float, ...]
    """Where each service's share ends, between 0 and 1."""
    is_sticky: bool
    cookie: str
    marks: tuple[bytes, ...]
    """What stands for each service in the cookie."""
    purpose: str

    def index(self, facts: Facts, client_ip: str, signer: Signer | None) -> int:
        """Which of the services."""
        if self.is_sticky:
            kept = self.kept(facts, signer)
            if kept is not None:
                return kept
        place = place_of(self._client(facts, client_ip), self.purpose)
        for index, border in enumerate(self.borders):
            if place < border:
                return index
        return self._last

    def kept(self, facts: Facts, signer: Signer | None) -> int | None:
        """The service that the client's cookie names; None for whatever is forged, old or of another route."""
        if signer is None:
            return None
        for value in cookies_named(facts, self.cookie.encode())[:_MAX_COOKIES]:
            mark = signer.open(self.purpose, value.decode("latin-1"))
            if mark in self.marks:
                index = self.marks.index(mark)
                if self._has_weight(index):
                    return index
        return None

    def cookie_line(self, service: str, signer: Signer, *, is_secure: bool) -> bytes:
        """The field that keeps a client with `service`."""
        sealed = signer.seal(self.purpose, self.marks[self.services.index(service)])
        secure = "; Secure" if is_secure else ""
        attributes = f"Path=/; Max-Age={COOKIE_MAX_AGE_S}; HttpOnly; SameSite=Lax{secure}"
        return f"Set-Cookie: {self.cookie}={sealed}; {attributes}\r\n".encode()

    def _client(self, facts: Facts, client_ip: str) -> str:
        if not self.is_sticky:
            return client_ip
        # The cookie keeps the client; so that all of an office is not one client, its first request counts as a whole.
        agent = b"\n".join(facts.values(b"user-agent") + facts.values(b"accept-language"))
        return client_ip + "\n" + agent.decode("latin-1")

    def _has_weight(self, index: int) -> bool:
        return self.borders[index] > (self.borders[index - 1] if index else 0.0)

    @property
    def _last(self) -> int:
        """The last with any weight: where sums of fractions fall short of 1."""
        return max(index for index in range(len(self.services)) if self._has_weight(index))


def split_rules(route: Route) -> SplitRules | None:
    if route.split is None:
        return None
    weights: dict[str, int] = {}
    for part in route.split:
        weights[part.service] = weights.get(part.service, 0) + part.weight
    services = tuple(weights)
    return SplitRules(
        route=route.id,
        services=services,
        borders=_borders(tuple(weights.values())),
        is_sticky=route.sticky_split == "cookie",
        cookie=f"tidegate_split_{route.id}",
        marks=tuple(xxhash.xxh3_64_digest(service.encode()) for service in services),
        purpose=f"split {route.id}",
    )


def _borders(weights: Sequence[int]) -> tuple[float, ...]:
    whole = sum(weights)
    return tuple(reached / whole for reached in accumulate(weights))
