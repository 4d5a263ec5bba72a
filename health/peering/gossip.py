"""What nodes say of themselves reaches every other within a second: each tells each, and is told in return.

    every second, to every peer:  POST /peer/v1/soft  {sayings: mine, revision}  ->  {sayings: theirs, revision}

Soft state only: nothing is kept, nothing passed on for others, so a node that is gone falls silent everywhere at once.
The revision of the agreed state travels along as a hint: whoever is behind asks the acceptors now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
from aiohttp import web

from health.peering.client import PeerClient, PeerRefused, PeerUnreachable
from health.peering.identity import Peer
from health.peering.server import problem
from health.state.soft import Saying, SoftBook

PATH = "/peer/v1/soft"
EVERY_S = 1.0
TIMEOUT_S = 2.0
MAX_SAYINGS = 2000
"""Of one node; it has a handful."""


class Told(msgspec.Struct, frozen=True):
    """One message, either way."""

    sayings: list[Saying]
    revision: int = 0


class Gossip:
    """Both ends."""

    def __init__(
        self,
        book: SoftBook,
        client: PeerClient,
        urls: Sequence[str],
        *,
        node: str,
        revision: Callable[[], int],
        hint: Callable[[], None],
    ) -> None:
        self._book = book
        self._client = client
        self._node = node
        self._revision = revision
        self._hint = hint
        self._heard_revision: dict[str, int] = {}
        self.urls = tuple(urls)
        self.reached: dict[str, str] = {}
        """Address -> node that answered there last time."""
        self.unreached: dict[str, str] = {}
        """Address -> why nobody did."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.gather(*(self._tell(url) for url in self.urls))
            await asyncio.sleep(EVERY_S)

    async def _tell(self, url: str) -> None:
        try:
            peer, content = await self._client.call(url, "POST", PATH, self._message(), timeout_s=TIMEOUT_S)
            told = msgspec.json.decode(content, type=Told)
        except (PeerUnreachable, PeerRefused, msgspec.DecodeError, UnicodeDecodeError) as error:
            self.unreached[url] = str(error)
            self.reached.pop(url, None)
            return
        self.reached[url] = peer.node
        self.unreached.pop(url, None)
        self._hear(peer, told)

    async def answer(self, request: web.Request, peer: Peer) -> web.Response:
        """The handler to mount at `PATH`."""
        try:
            told = msgspec.json.decode(await request.read(), type=Told)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return problem(400, "malformed_body", f"found sayings that are not understood: {error}")
        self._hear(peer, told)
        return web.Response(body=self._message(), content_type="application/json")

    def _message(self) -> bytes:
        return msgspec.json.encode(Told(self._book.mine(), self._revision()))

    def _hear(self, peer: Peer, told: Told) -> None:
        """A node speaks for itself only."""
        own = [one for one in told.sayings[:MAX_SAYINGS] if one.owner.partition("/")[0] == peer.node]
        self._book.hear(own)
        if told.revision != self._heard_revision.get(peer.node) and peer.node != self._node:
            self._heard_revision[peer.node] = told.revision
            self._hint()
