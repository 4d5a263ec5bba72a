"""What about this one request moves it between regions: rules, the client's wish, its share, what it has seen?

    rules, by priority ──> the first that holds names regions that go first
    preference_header  ──> the client's own wish, among these, or else among all that are allowed
    weighted           ──> the client's own order (gateway/core/regions.py)
    consistency        ──> only regions that have applied what the client has seen, or that are near enough

Only a route that uses one of these has a `Steering`; all others share one ranking per country of clients. Nothing here
can add a region: it orders and narrows what residency has left. What a client writes wrongly into its header is no
wish; a condition without an answer does not match, and is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from config.core.conditions import UNKNOWN, Condition, ConditionFailed
from config.core.signing import Signer
from gateway.core.countries import CONTINENTS
from gateway.core.routes import Facts
from health.core.session_token import HEADER, SessionToken, unseal_header

MAX_WISH: Final = 64
"""Characters of a region id that a client may name: none of ours is longer."""

SESSION_FIELD: Final = HEADER.lower().encode()


@dataclass(frozen=True, slots=True)
class SteeringRule:
    """One of `region_routing.rules`."""

    number: int
    """Place in the file, from 0: what logs, metrics and `explain` call it, with the route's id."""
    condition: Condition
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Steering:
    """One route's."""

    rules: tuple[SteeringRule, ...]
    """By priority, then as written."""
    preference: bytes | None
    """Lower-case name of the client's header."""
    weights: Mapping[str, int] | None
    """For `weighted`."""
    is_consistent: bool = False
    """Whether only regions serve that have applied what the client has seen."""
    bound_s: float | None = None
    """For `bounded`: and that are no further behind the others."""
    wait_s: float = 0.0
    """How long a request waits for such a region."""
    classes: frozenset[str] | None = None
    """Data types whose tokens count; None: all."""
    collections: frozenset[str] | None = None
    """Those of these data types; None: all."""


class Asking:
    """A request and its client, for conditions (config/core/conditions.py)."""

    __slots__ = ("_client_ip", "_country", "_facts")

    def __init__(self, facts: Facts, client_ip: str, country: Callable[[], str | None]) -> None:
        self._facts = facts
        self._client_ip = client_ip
        self._country = country

    def text(self, name: str) -> str:
        facts = self._facts
        if name.startswith("client."):
            if name == "client.ip":
                return self._client_ip
            country = self._country() or UNKNOWN
            return country if name == "client.country" else CONTINENTS.get(country, UNKNOWN)
        if name == "request.path":
            return facts.path.decode("latin-1")
        if name == "request.query":
            return facts.query[1:].decode("latin-1")
        return facts.method if name == "request.method" else facts.host

    def header(self, name: str) -> str | None:
        values = self._facts.values(name.encode("latin-1", "replace"))
        return values[0].decode("latin-1") if values else None

    def headers(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        block: bytes = getattr(self._facts, "block", b"")
        for line in block.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            if colon:
                found.setdefault(name.decode("latin-1").lower(), value.strip(b" \t").decode("latin-1"))
        return found


def matching_rule(
    rules: Sequence[SteeringRule], asking: Asking, on_failed: Callable[[SteeringRule], None]
) -> SteeringRule | None:
    """The first whose condition holds."""
    for rule in rules:
        try:
            if rule.condition.holds(asking):
                return rule
        except ConditionFailed:
            on_failed(rule)
    return None


def wish_of(facts: Facts, header: bytes, allowed: Sequence[str]) -> str | None:
    """The region that a client names, when it names exactly one that may serve it."""
    values = facts.values(header)
    if len(values) != 1 or len(values[0]) > MAX_WISH:
        return None
    wish = values[0].decode("latin-1").strip().lower()
    return next((region for region in allowed if region.lower() == wish), None)


def tokens_of(facts: Facts, steering: Steering, signer: Signer | None) -> list[SessionToken] | None:
    """What the client has seen, as far as the route's data goes; None for a token that this mesh did not write."""
    values = facts.values(SESSION_FIELD)
    if not values:
        return []
    if signer is None:
        return None
    found = unseal_header(b",".join(values).decode("latin-1"), signer)
    if found is None:
        return None
    return [token for name, token in found.items() if steering.classes is None or name in steering.classes]
