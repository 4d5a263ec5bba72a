"""What does a client show to prove who it is? One credential of a request's head, or why there is none to look at.

    Authorization: Basic <base64 of user:password>     RFC 7617
    Authorization: Bearer <token>                      RFC 6750
    X-Api-Key: <key>                                   a header of the operator's choice

Two of a kind are refused: whoever is behind us might read the other one.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from gateway.core import reasons
from gateway.core.access import unauthorized
from gateway.core.head import RequestHead
from gateway.core.problems import Answer

MAX_CREDENTIAL_BYTES: Final = 8192
"""Signed tokens have one to four thousand; what is larger costs time before anything is known of its sender."""

BASIC: Final = 'Basic realm="tidegate", charset="UTF-8"'
BEARER: Final = 'Bearer realm="tidegate"'
CERTIFICATE: Final = 'ClientCertificate realm="tidegate"'
_TOKEN68: Final = re.compile(rb"[A-Za-z0-9._~+/-]+=*")


@dataclass(frozen=True, slots=True)
class Password:
    """What Basic carries."""

    user: str
    secret: bytes


def api_key_challenge(header: str) -> str:
    return f'ApiKey realm="tidegate", header="{header}"'


def refused(reason: str, detail: str, challenge: str) -> Answer:
    """The refusal of a credential. For Bearer it says which error of RFC 6750 section 3.1 this is."""
    if challenge == BEARER and reason != reasons.CREDENTIALS_MISSING:
        challenge += f', error="invalid_token", error_description="{_quotable(detail)}"'
    return unauthorized(reason, detail, challenge)


def _quotable(text: str) -> str:
    return "".join(letter if " " <= letter <= "~" and letter not in '"\\' else "'" for letter in text)


def read_basic(head: RequestHead) -> Password | Answer:
    """User and password."""
    encoded = _authorization(head, b"basic", BASIC)
    if isinstance(encoded, Answer):
        return encoded
    try:
        decoded = base64.b64decode(encoded, validate=True)
        user, colon, secret = decoded.partition(b":")
        name = user.decode("utf-8")
    except (binascii.Error, ValueError):
        return _malformed("Basic credentials that are not base64 of UTF-8", BASIC)
    if not colon or any(byte < 0x20 or byte == 0x7F for byte in decoded):
        return _malformed("Basic credentials without a colon, or with control characters", BASIC)
    return Password(name, secret)


def read_bearer(head: RequestHead) -> bytes | Answer:
    """The token."""
    token = _authorization(head, b"bearer", BEARER)
    if isinstance(token, Answer) or _TOKEN68.fullmatch(token):
        return token
    return _malformed("a bearer token with characters that none has", BEARER)


def read_key(head: RequestHead, header: str, name: bytes) -> bytes | Answer:
    """The API key in `header`; `name` is the same in lower case."""
    values = head.values(name)
    if len(values) == 1 and 0 < len(values[0]) <= MAX_CREDENTIAL_BYTES:
        return values[0]
    challenge = api_key_challenge(header)
    if not values or not any(values):
        return unauthorized(reasons.CREDENTIALS_MISSING, f"no API key, expected one in {header}", challenge)
    return _malformed(f"{len(values)} fields {header} or one that is too long, expected one key", challenge)


def _authorization(head: RequestHead, scheme: bytes, challenge: str) -> bytes | Answer:
    """What stands after the scheme."""
    values = head.values(b"authorization")
    if not values:
        return refused(reasons.CREDENTIALS_MISSING, f"no credentials, expected {scheme.decode()} ones", challenge)
    if len(values) > 1:
        return _malformed("two Authorization fields, expected one", challenge)
    named, _, rest = values[0].partition(b" ")
    if named.lower() != scheme:
        return refused(
            reasons.CREDENTIALS_MISSING, f"credentials of another scheme, expected {scheme.decode()} ones", challenge
        )
    rest = rest.strip(b" ")
    if not rest or len(rest) > MAX_CREDENTIAL_BYTES:
        return _malformed(f"empty credentials, or above {MAX_CREDENTIAL_BYTES} bytes", challenge)
    return rest


def _malformed(detail: str, challenge: str) -> Answer:
    return refused(reasons.CREDENTIALS_MALFORMED, detail, challenge)
