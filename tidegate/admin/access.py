"""Who may ask the admin API what? Roles viewer < operator < admin, proven by a bearer token.

    no tokens configured   whoever connects over loopback and calls us by a loopback name is a viewer; others are nobody
    tokens configured      whoever brings one that has not expired has its role, over loopback too

The name matters: a web page that a person opens can make their browser send requests to 127.0.0.1 (DNS rebinding), but
not without naming the page's own host in `Host`.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from config.models import AdminToken
from config.secrets import SecretUnavailable, resolve

Role = Literal["viewer", "operator", "admin"]
RANK: Mapping[Role, int] = {"viewer": 0, "operator": 1, "admin": 2}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the answer is no: the status, and one sentence."""

    status: Literal[401, 403, 421]
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A configured token; its digest only, so no comparison, log or dump can leak it."""

    name: str
    role: Role
    digest: bytes
    expires: date | None


class Access:
    """The tokens of one configuration."""

    def __init__(self, tokens: Sequence[KnownToken]) -> None:
        self._tokens = tuple(tokens)

    def identify(self, *, authorization: str | None, peer: str, host: str, today: date) -> Caller | Refusal:
        """Who this is. `peer` is the address that connected, `host` the Host header."""
        if not self._tokens:
            return _local_viewer(peer, host)
        scheme, _, given = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            return Refusal(401, "token_missing", "no bearer token found, expected one in Authorization")
        digest = _digest(given.strip().encode("utf-8", "surrogateescape"))
        # Every token is compared, in constant time each: how long this takes tells nothing about any of them.
        matching = [token for token in self._tokens if hmac.compare_digest(token.digest, digest)]
        if not matching:
            return Refusal(401, "token_unknown", "found a bearer token that is not configured, expected one that is")
        valid = [token for token in matching if token.expires is None or today <= token.expires]
        if not valid:
            return Refusal(401, "token_expired", f"found a token that expired on {matching[0].expires}")
        best = max(valid, key=lambda token: RANK[token.role])
        return Caller(best.name, best.role)


def may(caller: Caller, needed: Role) -> bool:
    return RANK[caller.role] >= RANK[needed]


def load_tokens(tokens: Sequence[AdminToken], *, environ: Mapping[str, str]) -> tuple[list[KnownToken], list[str]]:
    """The tokens, and a sentence for each whose secret is not there: it lets nobody in."""
    known, missing = [], []
    for token in tokens:
        try:
            secret = resolve(token.token, environ=environ).strip()
        except SecretUnavailable as error:
            missing.append(f"admin token {token.name}: {error}")
            known.append(KnownToken(token.name, token.role, b"", token.expires))
        else:
            known.append(KnownToken(token.name, token.role, _digest(secret), token.expires))
    return known, missing


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def _local_viewer(peer: str, host: str) -> Caller | Refusal:
    if not _is_loopback(peer):
        return Refusal(401, "tokens_not_configured", "without admin.tokens only this machine may ask")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    if name.lower() != "localhost" and not _is_loopback(name.strip("[]")):
        return Refusal(
            421, "foreign_host", f'found Host "{host[:100]}", expected localhost or a loopback address without tokens'
        )
    return Caller("local", "viewer")


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
