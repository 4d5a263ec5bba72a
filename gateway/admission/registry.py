"""Which authenticator does a route have? Made anew with each configuration, but for what has learnt something.

A reload that leaves a route's authentication as it was keeps its authenticator, with all that it remembers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from config.models import Config, Route
from config.models.access import JwtAuthentication, OauthIntrospection
from config.models.values import SecretReference
from gateway.admission.authenticators import (
    Authenticator,
    CertificateAuthenticator,
    KeyAuthenticator,
    PasswordAuthenticator,
)
from gateway.admission.bearer_tokens import TokenAuthenticator
from gateway.admission.fetching import Fetcher
from gateway.admission.introspection import IntrospectionAuthenticator
from gateway.admission.material import Held, Materials
from gateway.admission.passwords import Passwords
from gateway.admission.published_keys import AGAIN_AFTER_S, PublishedKeys, Spawn
from gateway.core.admission import claims_named
from gateway.core.claims import Wanted
from gateway.core.key_file import read_keys
from gateway.core.key_set import KeySet, read_key_set
from gateway.core.tokens import TokenRules
from gateway.core.user_file import read_users
from gateway.restarting import lasting


class Registry:
    """One data plane's. Without `spawn` nothing is watched or fetched."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        now: Callable[[], float],
        wall: Callable[[], float],
        spawn: Spawn | None,
        keys_again_after_s: float = AGAIN_AFTER_S,
    ) -> None:
        self.by_route: dict[str, Authenticator] = {}
        self._now = now
        self._wall = wall
        self._keys_again_after_s = keys_again_after_s
        self._spawn = spawn
        self._is_watching = False
        self._materials = Materials(environ=environ)
        self._passwords = Passwords()
        self._fetcher = Fetcher()
        self._published: dict[str, PublishedKeys] = {}
        """By URL: several routes may believe one issuer."""
        self._kept: dict[tuple[object, ...], Authenticator] = {}
        """Those that remember something, by all that they depend on."""

    def adopt(self, config: Config) -> None:
        """`config` is in force."""
        found: dict[str, Authenticator] = {}
        used: list[SecretReference] = []
        for route in config.routes:
            authenticator = self._make(route, used)
            if authenticator is not None:
                found[route.id] = authenticator
        self._materials.keep_only(used)
        asked = [route.access.authentication for route in config.routes]
        urls = {one.jwks for one in asked if one.kind == "jwt"}
        self._published = {url: keys for url, keys in self._published.items() if url in urls}
        self._kept = {key: kept for key, kept in self._kept.items() if kept in found.values()}
        self.by_route = found
        if used and self._spawn is not None and not self._is_watching:
            self._is_watching = True
            name = "files of users and keys"
            self._spawn(lasting(self._materials.run, name), name)

    async def close(self) -> None:
        await self._fetcher.close()
        self._passwords.close()

    def _make(self, route: Route, used: list[SecretReference]) -> Authenticator | None:
        asked = route.access.authentication
        if asked.kind == "basic":
            used.append(asked.users)
            return PasswordAuthenticator(self._materials.hold(asked.users, read_users), self._passwords)
        if asked.kind == "api_key":
            used.append(asked.keys)
            return KeyAuthenticator(self._materials.hold(asked.keys, read_keys), asked.header)
        if asked.kind == "client_certificate":
            return CertificateAuthenticator()
        if asked.kind == "jwt":
            return self._by_tokens(route, asked, used)
        if asked.kind == "oauth_introspection":
            return self._by_introspection(route, asked, used)
        return None

    def _by_tokens(self, route: Route, asked: JwtAuthentication, used: list[SecretReference]) -> Authenticator:
        wanted = Wanted(claims_named(route), tuple(asked.claims_to_headers.items()))
        keys: Held[KeySet] | PublishedKeys
        if isinstance(asked.jwks, SecretReference):
            used.append(asked.jwks)
            keys = self._materials.hold(asked.jwks, read_key_set)
        else:
            published = self._published.get(asked.jwks)
            if published is None:
                published = PublishedKeys(
                    asked.jwks,
                    fetcher=self._fetcher,
                    spawn=self._spawn_task,
                    now=self._now,
                    again_after_s=self._keys_again_after_s,
                )
                self._published[asked.jwks] = published
            keys = published
        rules = TokenRules(frozenset(asked.algorithms), asked.issuer, asked.audience, asked.leeway, wanted)
        kept = self._kept.get((route.id, rules, keys))
        if kept is None:
            kept = self._kept[route.id, rules, keys] = TokenAuthenticator(rules, keys, wall=self._wall)
        return kept

    def _by_introspection(self, route: Route, asked: OauthIntrospection, used: list[SecretReference]) -> Authenticator:
        used.append(asked.client_secret)
        secret = self._materials.hold(asked.client_secret, bytes)
        wanted = Wanted(claims_named(route))
        kept = self._kept.get((route.id, asked, wanted))
        if kept is None:
            kept = self._kept[route.id, asked, wanted] = IntrospectionAuthenticator(
                asked,
                wanted,
                secret=secret,
                fetcher=self._fetcher,
                spawn=self._spawn_task,
                now=self._now,
                wall=self._wall,
            )
        return kept

    def _spawn_task(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        if self._spawn is None:
            work.close()
            raise RuntimeError("a door that only explains waits for nothing")
        return self._spawn(work, name)
