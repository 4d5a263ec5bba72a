"""Certificates of the listeners for people and peers are read anew when a file changes, without an end of listening.

    Renewal    looks at files once a second, and calls when they have come to rest, or when the settings are others
    TlsSite    one listening socket; new TLS is another acceptor on the same queue, so no connection is refused between

Connections that are open keep what they shook hands on. What cannot be loaded is said, and what was there stays.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from config.certificates import CertificateUnusable
from config.file_changes import LOOK_EVERY_S, Settling, look
from gateway.errors import TlsMaterialRefused
from tidegate.node.logs import Log


class Renewal:
    """Made before its files are loaded for the first time, so that no change in between is missed."""

    def __init__(
        self,
        what: str,
        *,
        files: Callable[[], Sequence[str]],
        renew: Callable[[], Awaitable[None]],
        log: Log,
        settings: Callable[[], object] = lambda: None,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        """`files` are those of the `settings` in force; `renew` loads and shows them."""
        self._what = what
        self._files = files
        self._renew = renew
        self._log = log
        self._settings = settings
        self._known = settings()
        self._look_every_s = look_every_s
        self._settling = Settling()
        self._settling.start(look(tuple(files())))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._look_every_s)
            settings = self._settings()
            seen = await asyncio.to_thread(look, tuple(self._files()))
            if settings != self._known:
                self._known = settings
                self._settling.start(seen)
            elif not self._settling.has_changed(seen):
                continue
            try:
                await self._renew()
            except (CertificateUnusable, TlsMaterialRefused, OSError) as error:
                self._log.problem(f"the certificates of the {self._what} are kept as they were", reason=str(error))
            else:
                self._log.info(f"the certificates of the {self._what} were read anew")


class TlsSite:
    """A listening socket, which becomes this site's, and the runner that answers on it."""

    def __init__(self, runner: web.BaseRunner, listening: socket.socket, *, backlog: int) -> None:
        self._runner = runner
        self._listening = listening
        self._backlog = backlog
        self._site: web.SockSite | None = None

    async def show(self, tls: ssl.SSLContext | None) -> None:
        """From now on connections begin with this; None is plain."""
        site = web.SockSite(self._runner, self._listening.dup(), ssl_context=tls, backlog=self._backlog)
        await site.start()
        before, self._site = self._site, site
        if before is not None:
            await before.stop()

    async def close(self) -> None:
        """And whatever the runner still serves."""
        await self._runner.cleanup()
        self._listening.close()
