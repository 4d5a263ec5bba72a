"""Which keys does a token issuer publish now? Fetched when first needed, again every five minutes of use.

no keys yet           whoever needs them waits for the fetch; it failed: 503, and the next try a second later
unknown key id        fetched again, at most every ten seconds: an issuer that rotates is followed, a stranger with
                      made-up key ids cannot make us ask it more often
issuer unreachable    the keys that were last known stay in force, as long as it takes, and the log says so
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from gateway.admission.fetching import Fetcher, FetchFailed
from gateway.core.key_file import CredentialFileRefused
from gateway.core.key_set import KeySet, read_key_set

REFRESH_EVERY_S: Final = 300.0
AGAIN_AFTER_S: Final = 10.0
FIRST_AGAIN_AFTER_S: Final = 1.0

Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]

_log = logging.getLogger("gateway.admission")


class PublishedKeys:
    """One issuer's. `now` is monotonic."""

    def __init__(
        self,
        url: str,
        *,
        fetcher: Fetcher,
        spawn: Spawn,
        now: Callable[[], float],
        again_after_s: float = AGAIN_AFTER_S,
    ) -> None:
        self.url = url
        self.value: KeySet | None = None
        self.problem = ""
        """Why they are not as fresh as they should be; empty when they are."""
        self._fetcher = fetcher
        self._spawn = spawn
        self._now = now
        self._again_after_s = again_after_s
        self._asked_at: float | None = None
        self._running: asyncio.Task[None] | None = None

    def is_stale(self) -> bool:
        return self._asked_at is None or self._now() - self._asked_at >= REFRESH_EVERY_S

    def may_ask(self) -> bool:
        """Whether it is time for another try; one that is under way may be joined."""
        if self._running is not None or self._asked_at is None:
            return True
        return self._now() - self._asked_at >= (FIRST_AGAIN_AFTER_S if self.value is None else self._again_after_s)

    def refresh(self) -> asyncio.Task[None]:
        """One fetch at a time, whoever asks for it."""
        if self._running is None:
            self._asked_at = self._now()
            self._running = self._spawn(self._fetch(), "keys of a token issuer")
        return self._running

    async def refreshed(self) -> None:
        """When the fetch is over, however it went. A client that leaves does not end it for others."""
        await asyncio.shield(self.refresh())

    async def _fetch(self) -> None:
        try:
            value = read_key_set(await self._fetcher.get(self.url))
        except (FetchFailed, CredentialFileRefused) as error:
            self.problem = str(error)
            kept = "the keys last known stay in force" if self.value is not None else "its tokens cannot be verified"
            _log.warning("keys of %s: %s; %s", self.url, error, kept)
        else:
            self.problem = ""
            if value != self.value:
                self.value = value
        finally:
            self._running = None
