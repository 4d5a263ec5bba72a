"""What does a token say of its bearer, and what may be passed on of it? Claims checked, named, and written as fields.

exp, nbf, iat    by wall time, with leeway; a token without an end is refused
iss, aud         who issued it, whom it is for
claims_to_headers    text, numbers, truth and lists of them; a control character refuses the token: it would end a line
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core import reasons
from gateway.core.principal import Principal

MAX_CLAIM_BYTES: Final = 2048
"""Of one claim as a field."""


class TokenRefused(Exception):
    """Not this token. `reason` is a slug."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a route does with claims."""

    named: tuple[str, ...]
    """Claims that limits and tenants go by."""
    headers: tuple[tuple[str, str], ...] = ()
    """Claim and the field that tells the upstream."""


def check_times(claims: Mapping[str, object], *, now: float, leeway_s: float) -> float:
    """The end of the token's life, by wall time. Raises `TokenRefused`."""
    end = _time(claims, "exp")
    if end is None:
        raise TokenRefused(reasons.TOKEN_REFUSED, "a token without exp, expected one that ends")
    if now > end + leeway_s:
        raise TokenRefused(reasons.TOKEN_EXPIRED, "a token whose time is over")
    for name in ("nbf", "iat"):
        begin = _time(claims, name)
        if begin is not None and begin > now + leeway_s:
            raise TokenRefused(reasons.TOKEN_REFUSED, f"a token whose {name} is still to come")
    return end + leeway_s


def check_parties(claims: Mapping[str, object], *, issuer: str, audience: str) -> None:
    """Raises `TokenRefused`."""
    if claims.get("iss") != issuer:
        raise TokenRefused(reasons.TOKEN_REFUSED, "a token of another issuer")
    meant = claims.get("aud")
    if meant != audience and not (isinstance(meant, list) and audience in meant):
        raise TokenRefused(reasons.TOKEN_REFUSED, "a token for another audience")


def principal_of(claims: Mapping[str, object], wanted: Wanted) -> Principal:
    """Raises `TokenRefused` where a claim cannot be passed on."""
    fields = []
    for claim, header in wanted.headers:
        if claim in claims and claims[claim] is not None:
            fields.append(f"{header}: {_spelt(claim, claims[claim])}\r\n".encode())
    named = {claim: _spelt(claim, claims[claim]) for claim in wanted.named if claims.get(claim) is not None}
    subject = claims.get("sub")
    name = subject if isinstance(subject, str) and len(subject) <= 200 and subject.isprintable() else ""
    return Principal(name, named, b"".join(fields))


def _spelt(claim: str, value: object) -> str:
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str | int | float):
        text = str(value)
    elif isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        text = ",".join(_spelt(claim, one) for one in value)
    else:
        raise TokenRefused(reasons.TOKEN_REFUSED, f"a claim {claim} that is no text, number or list of them")
    if not text.isprintable() or len(text.encode("utf-8", "replace")) > MAX_CLAIM_BYTES:
        raise TokenRefused(reasons.TOKEN_REFUSED, f"a claim {claim} with characters, or a length, that no field has")
    return text.strip()


def _time(claims: Mapping[str, object], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise TokenRefused(reasons.TOKEN_REFUSED, f"a token whose {name} is no time")
    return float(value)
