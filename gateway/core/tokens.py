"""Is this token signed by whom we believe, and for us? JSON Web Tokens (RFC 7519, with the care of RFC 8725).

    header ──> algorithm on the list ──> keys by kid and kind ──> signature ──> times, issuer, audience ──> Principal

A signature costs a third of a millisecond or more, so what was verified is remembered until it ends, by digest.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from joserfc import jws
from joserfc.errors import JoseError

from gateway.core import reasons
from gateway.core.claims import TokenRefused, Wanted, check_parties, check_times, principal_of
from gateway.core.key_set import KeySet, SigningKey
from gateway.core.principal import Principal

MAX_REMEMBERED: Final = 4096
MAX_TRIED_KEYS: Final = 5
"""For a token that names none: each costs a signature."""


class UnknownKey(TokenRefused):
    """Signed by a key that we do not have: the issuer may have a new one."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """As configured."""

    algorithms: frozenset[str]
    issuer: str
    audience: str
    leeway_s: float
    wanted: Wanted


def verify(token: bytes, keys: KeySet, rules: TokenRules, *, now: float) -> tuple[Principal, float]:
    """Who bears it, and until when (wall time) that holds. Raises `TokenRefused`, `UnknownKey`."""
    try:
        header = jws.extract_compact(token).headers()
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError):
        raise TokenRefused(reasons.TOKEN_REFUSED, "a bearer token that is no signed JWT") from None
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in rules.algorithms:
        raise TokenRefused(reasons.TOKEN_REFUSED, "a token signed by an algorithm that is not on the list")
    if "crit" in header:
        raise TokenRefused(reasons.TOKEN_REFUSED, "a token with critical extensions, of which none is understood")
    candidates = keys.candidates(kid if isinstance(kid, str) else None, algorithm)
    if not candidates:
        raise UnknownKey(reasons.TOKEN_REFUSED, "a token signed by a key that its issuer does not publish")
    payload = _verified(token, algorithm, candidates[:MAX_TRIED_KEYS])
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise TokenRefused(reasons.TOKEN_REFUSED, "a token whose claims are no JSON object")
    end = check_times(claims, now=now, leeway_s=rules.leeway_s)
    check_parties(claims, issuer=rules.issuer, audience=rules.audience)
    return principal_of(claims, rules.wanted), end


def _verified(token: bytes, algorithm: str, candidates: list[SigningKey]) -> bytes:
    for candidate in candidates:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # EdDSA has a newer name; the operator has asked for this one
                payload: bytes = jws.deserialize_compact(token, candidate.key, algorithms=[algorithm]).payload
        except (JoseError, ValueError, TypeError):
            continue
        return payload
    raise TokenRefused(reasons.TOKEN_REFUSED, "a token whose signature is wrong")


class Remembered:
    """Principals by the digest of what they showed, until it ends; least recently used forgotten first."""

    def __init__(self, *, limit: int = MAX_REMEMBERED) -> None:
        self._limit = limit
        self._known: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()

    def get(self, token: bytes, now: float) -> Principal | None:
        digest = hashlib.sha256(token).digest()
        found = self._known.get(digest)
        if found is None:
            return None
        if now > found[1]:
            del self._known[digest]
            return None
        self._known.move_to_end(digest)
        return found[0]

    def add(self, token: bytes, principal: Principal, end: float) -> None:
        self._known[hashlib.sha256(token).digest()] = (principal, end)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)

    def clear(self) -> None:
        self._known.clear()

    def __len__(self) -> int:
        return len(self._known)
