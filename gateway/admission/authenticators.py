"""Who is this client? One authenticator a route: an answer at once, or a coroutine where something must be waited for.

api_key             digest looked up                                        at once
client_certificate  verified by the handshake                               at once
basic               remembered, or bcrypt on a thread (passwords.py)        may wait
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Protocol

from gateway.admission.material import Held
from gateway.admission.passwords import Passwords
from gateway.core import reasons
from gateway.core.access import unauthorized
from gateway.core.credentials import (
    BASIC,
    CERTIFICATE,
    api_key_challenge,
    read_basic,
    read_key,
)
from gateway.core.head import RequestHead
from gateway.core.key_file import KeyRing
from gateway.core.principal import Principal
from gateway.core.problems import Answer
from gateway.core.user_file import UserFile

Found = Principal | Answer
Outcome = Principal | Answer | Coroutine[Any, Any, Found]

UNAVAILABLE_RETRY_S: Final = 5
_SUBJECT: Final = b"X-Client-Cert-Subject: "


class Authenticator(Protocol):
    """What every kind can do."""

    def authenticate(self, head: RequestHead, identity: bytes) -> Outcome:
        """`identity`: the field lines that tell of a verified certificate, empty without one."""


def unavailable(detail: str) -> Answer:
    """We cannot tell who it is, and that is our fault: nobody comes in."""
    return Answer(
        status=503,
        reason=reasons.CREDENTIALS_UNAVAILABLE,
        detail=detail,
        proxy_status="proxy_internal_error",
        retry_after_s=UNAVAILABLE_RETRY_S,
    )


class KeyAuthenticator:
    """API keys."""

    def __init__(self, keys: Held[KeyRing], header: str) -> None:
        self._keys = keys
        self._header = header
        self._name = header.lower().encode()

    def authenticate(self, head: RequestHead, identity: bytes) -> Outcome:
        ring = self._keys.value
        if ring is None:
            return unavailable("the file of API keys cannot be used, so nobody can be let in")
        key = read_key(head, self._header, self._name)
        if isinstance(key, Answer):
            return key
        holder = ring.holder(key)
        if holder is None:
            return unauthorized(
                reasons.CREDENTIALS_REFUSED, "an API key that nobody holds", api_key_challenge(self._header)
            )
        return holder


class CertificateAuthenticator:
    """Certificates that the listener's handshake has verified."""

    def authenticate(self, head: RequestHead, identity: bytes) -> Outcome:
        if not identity:
            detail = "no client certificate on this connection, expected one of the listener's client_ca"
            return unauthorized(reasons.CERTIFICATE_MISSING, detail, CERTIFICATE)
        return Principal(identity.partition(_SUBJECT)[2].strip().decode("ascii", "replace"))


class PasswordAuthenticator:
    """User names and passwords."""

    def __init__(self, users: Held[UserFile], passwords: Passwords) -> None:
        self._users = users
        self._passwords = passwords

    def authenticate(self, head: RequestHead, identity: bytes) -> Outcome:
        users = self._users.value
        if users is None:
            return unavailable("the file of users cannot be used, so nobody can be let in")
        shown = read_basic(head)
        if isinstance(shown, Answer):
            return shown
        hashed = users.hash_of(shown.user)
        if hashed is not None and self._passwords.verified.knows(shown, hashed):
            return Principal(shown.user)
        if self._passwords.is_busy:
            return Answer(
                status=503,
                reason=reasons.AUTHENTICATION_BUSY,
                detail="too many passwords wait to be verified",
                proxy_status="proxy_internal_response",
                retry_after_s=1,
            )
        return self._passwords.verify(shown, hashed, users.nobodys, BASIC)
