"""Whose signatures are believed? A token issuer's published keys (RFC 7517), those that can be used.

Keys for other uses, of kinds that sign nothing we take, or malformed ones are passed over: one bad key must not turn
away everybody. A set without a single usable key is refused, and what was known before stays.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from gateway.core.key_file import CredentialFileRefused

MAX_KEYS: Final = 100
PublicKey = RSAKey | ECKey | OKPKey
_KINDS: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One that verifies."""

    kid: str | None
    algorithm: str | None
    """The only one that it may be used with, where the issuer says."""
    kind: str
    key: PublicKey

    def may_verify(self, algorithm: str) -> bool:
        return self.kind == _KINDS.get(algorithm[:2]) and self.algorithm in (None, algorithm)


@dataclass(frozen=True, slots=True)
class KeySet:
    """Immutable."""

    keys: tuple[SigningKey, ...]

    def candidates(self, kid: str | None, algorithm: str) -> list[SigningKey]:
        """The keys that may have signed; without `kid` all of the right kind."""
        return [key for key in self.keys if (kid is None or key.kid == kid) and key.may_verify(algorithm)]


def read_key_set(content: bytes) -> KeySet:
    """Raises `CredentialFileRefused`."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise CredentialFileRefused("found no JSON, expected a key set (RFC 7517)") from None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise CredentialFileRefused("found no list 'keys', expected a key set (RFC 7517)")
    found = [key for key in map(_read, listed[:MAX_KEYS]) if key is not None]
    if not found:
        raise CredentialFileRefused("found no key that verifies signatures, expected at least one")
    return KeySet(tuple(found))


def _read(entry: Any) -> SigningKey | None:
    if not isinstance(entry, Mapping) or entry.get("use", "sig") != "sig" or entry.get("kty") not in _KINDS.values():
        return None
    kid, algorithm = entry.get("kid"), entry.get("alg")
    public = {name: value for name, value in entry.items() if name not in ("d", "p", "q", "dp", "dq", "qi", "oth")}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            key = import_key(public)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if not isinstance(key, RSAKey | ECKey | OKPKey):
        return None
    return SigningKey(
        kid if isinstance(kid, str) else None, algorithm if isinstance(algorithm, str) else None, str(entry["kty"]), key
    )
