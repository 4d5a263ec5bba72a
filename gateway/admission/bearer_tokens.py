"""Whose token is this? Signed ones (JWT), by keys that are there, or that must be fetched first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway.admission.authenticators import Found, Outcome, unavailable
from gateway.admission.published_keys import PublishedKeys
from gateway.core.claims import TokenRefused
from gateway.core.credentials import BEARER, read_bearer, refused
from gateway.core.head import RequestHead
from gateway.core.key_set import KeySet
from gateway.core.problems import Answer
from gateway.core.tokens import Remembered, TokenRules, UnknownKey, verify


class Keys(Protocol):
    """Published by a server, or in a file (material.py)."""

    @property
    def value(self) -> KeySet | None: ...


class TokenAuthenticator:
    """`wall` is Unix time: tokens end by the calendar."""

    def __init__(self, rules: TokenRules, keys: Keys, *, wall: Callable[[], float]) -> None:
        self._rules = rules
        self._keys = keys
        self._published = keys if isinstance(keys, PublishedKeys) else None
        self._wall = wall
        self._remembered = Remembered()
        self._verified_by: KeySet | None = None
        """The keys in force when what is remembered was verified."""

    def authenticate(self, head: RequestHead, identity: bytes) -> Outcome:
        token = read_bearer(head)
        if isinstance(token, Answer):
            return token
        keys = self._keys.value
        self._forget_unless(keys)
        principal = self._remembered.get(token, self._wall())
        if principal is not None:
            self._freshen()
            return principal
        return self._unknown(token, keys)

    def _unknown(self, token: bytes, keys: KeySet | None) -> Outcome:
        """One that was not seen before."""
        published = self._published
        may_ask = published is not None and published.may_ask()
        if keys is not None:
            try:
                return self._verify(token, keys)
            except UnknownKey as error:
                if not may_ask:
                    return refused(error.reason, error.detail, BEARER)
            except TokenRefused as error:
                return refused(error.reason, error.detail, BEARER)
        if published is None or not may_ask:
            return unavailable("the keys of the token issuer are not known")
        return self._after_refresh(published, token)

    def _forget_unless(self, keys: KeySet | None) -> None:
        """What other keys have verified: one that is gone has nothing to say any more."""
        if keys is not self._verified_by:
            self._verified_by = keys
            self._remembered.clear()

    def _freshen(self) -> None:
        if self._published is not None and self._published.is_stale():
            self._published.refresh()

    def _verify(self, token: bytes, keys: KeySet) -> Found:
        principal, end = verify(token, keys, self._rules, now=self._wall())
        self._remembered.add(token, principal, end)
        self._freshen()
        return principal

    async def _after_refresh(self, published: PublishedKeys, token: bytes) -> Found:
        await published.refreshed()
        keys = published.value
        if keys is None:
            return unavailable("the keys of the token issuer could not be fetched")
        self._forget_unless(keys)
        try:
            return self._verify(token, keys)
        except TokenRefused as error:
            return refused(error.reason, error.detail, BEARER)
