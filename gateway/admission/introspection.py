"""Does its issuer still stand by this token? Asked (RFC 7662), and believed for a while, both ways.

    known          at once, until `cache` is over or the token ends
    unknown        asked; whoever shows the same token meanwhile joins the question
    issuer away    what is known holds out its time, no longer; all else is 503, and one try a second is made

Tokens are kept as digests. What was refused is remembered apart, so that guessing pushes nobody out.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from typing import Final

from config.models.access import OauthIntrospection
from gateway.admission.authenticators import Found, Outcome, unavailable
from gateway.admission.fetching import Fetcher, FetchFailed
from gateway.admission.material import Held
from gateway.admission.published_keys import Spawn
from gateway.core import reasons
from gateway.core.claims import TokenRefused, Wanted, check_times, principal_of
from gateway.core.credentials import BEARER, read_bearer, refused
from gateway.core.head import RequestHead
from gateway.core.principal import NOBODY
from gateway.core.problems import Answer
from gateway.core.tokens import Remembered

MAX_ASKING: Final = 64
AGAIN_AFTER_S: Final = 1.0
MAX_REFUSED: Final = 1024


class IntrospectionAuthenticator:
    """`now` is monotonic, `wall` Unix time."""

    def __init__(
        self,
        asked: OauthIntrospection,
        wanted: Wanted,
        *,
        secret: Held[bytes],
        fetcher: Fetcher,
        spawn: Spawn,
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._asked = asked
        self._wanted = wanted
        self._secret = secret
        self._fetcher = fetcher
        self._spawn = spawn
        self._now = now
        self._wall = wall
        self._active = Remembered()
        self._inactive = Remembered(limit=MAX_REFUSED)
        self._asking: dict[bytes, tuple[asyncio.Task[None], list[Found]]] = {}
        self._not_before = 0.0

    def authenticate(self, head: RequestHead, identity: bytes) -> Outcome:
        token = read_bearer(head)
        if isinstance(token, Answer):
            return token
        now = self._wall()
        principal = self._active.get(token, now)
        if principal is not None:
            return principal
        if self._inactive.get(token, now) is not None:
            return _inactive()
        digest = hashlib.sha256(token).digest()
        if digest not in self._asking and self._now() < self._not_before:
            return unavailable("the server that knows about tokens could not be asked a moment ago")
        if digest not in self._asking and len(self._asking) >= MAX_ASKING:
            return unavailable("too many tokens wait to be asked about")
        return self._join(digest, token)

    async def _join(self, digest: bytes, token: bytes) -> Found:
        under_way = self._asking.get(digest)
        if under_way is None:
            found: list[Found] = []
            task = self._spawn(self._ask(digest, token, found), "token introspection")
            under_way = self._asking[digest] = (task, found)
        task, found = under_way
        await asyncio.shield(task)
        return found[0] if found else unavailable("the server that knows about tokens was not heard to the end")

    async def _ask(self, digest: bytes, token: bytes, found: list[Found]) -> None:
        try:
            found.append(await self._answer(token))
        finally:
            self._asking.pop(digest, None)

    async def _answer(self, token: bytes) -> Found:
        secret = self._secret.value
        if secret is None:
            return unavailable("the secret for asking about tokens cannot be read")
        form = {"token": token.decode("ascii"), "token_type_hint": "access_token"}
        try:
            content = await self._fetcher.post(
                self._asked.url, form, (self._asked.client_id, secret.decode("utf-8", "replace"))
            )
            claims = json.loads(content)
            if not isinstance(claims, dict) or not isinstance(claims.get("active"), bool):
                raise FetchFailed("found no JSON object with 'active', expected one (RFC 7662)")
        except (FetchFailed, ValueError, RecursionError):
            self._not_before = self._now() + AGAIN_AFTER_S
            return unavailable("the server that knows about tokens gave no usable answer")
        now = self._wall()
        until = now + self._asked.cache
        if not claims["active"]:
            self._inactive.add(token, NOBODY, until)
            return _inactive()
        try:
            if claims.get("exp") is not None:
                until = min(until, check_times(claims, now=now, leeway_s=0.0))
            principal = principal_of(claims, self._wanted)
        except TokenRefused as error:
            return refused(error.reason, error.detail, BEARER)
        if self._asked.cache:
            self._active.add(token, principal, until)
        return principal


def _inactive() -> Answer:
    return refused(reasons.TOKEN_REFUSED, "a token that its issuer does not stand by", BEARER)
