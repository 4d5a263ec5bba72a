"""Which clients' connections are open on this data plane, and how do they end when it stops?

drain ── a moment for idle ones ──> closed
      └─ those in flight ── within the grace ──> done
                            └─ not ────────────> cut, each in the words of its protocol, and soon aborted
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

from gateway.core.frames import SERVICE_RESTART, Cut
from gateway.proxy.roles import Client

IDLE_GRACE_S: Final = 1.0
"""In a drain, an idle connection may still bring one request, which is answered with `Connection: close`; one that is
closed at the very moment its client writes would lose it."""

CUT_PATIENCE_S: Final = 1.0
"""What is cut has so long to send the other half of a frame, and to take its last bytes."""


class Clients:
    """One data plane's."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, rng: random.Random) -> None:
        self._loop = loop
        self._rng = rng
        self._open: set[Client] = set()
        self.handshakes = 0
        """TLS handshakes under way: connections that are none yet."""
        self._none_left = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Client]:
        return iter(self._open)

    def add(self, client: Client) -> None:
        self._open.add(client)

    def remove(self, client: Client) -> None:
        self._open.discard(client)
        if not self._open:
            self._none_left.set()

    def handshake_ended(self) -> None:
        """Whether there is a connection now, or not."""
        self.handshakes -= 1
        if not self._open:
            self._none_left.set()

    def cut(self, endpoints: Collection[str] | None, code: int, detail: str) -> None:
        """What is under way there is ended; frames that are half sent have a moment for their other half.

        `endpoints` are ids, None stands for all; `code` is for WebSockets (RFC 6455, section 7.4).
        """
        cut = Cut(endpoints, code, detail, self._rng.getrandbits(32).to_bytes(4, "big"))
        self._cut(cut)
        self._loop.call_later(CUT_PATIENCE_S, self._cut, replace(cut, is_forced=True))

    async def drain(self, grace_s: float) -> int:
        """Until all are closed. Returns the requests that were cut off when `grace_s` was over."""
        deadline = self._loop.time() + grace_s
        self._loop.call_later(min(IDLE_GRACE_S, grace_s), self._close_idle)
        while (self._open or self.handshakes) and self._loop.time() < deadline:
            if not await self._until_none_left(deadline):
                break
        cut = sum(1 for client in self._open if not client.is_idle)
        await self._end_what_is_left(grace_s)
        return cut

    async def _end_what_is_left(self, grace_s: float) -> None:
        """Each in the words of its protocol, and a moment for them to arrive."""
        if self._open:
            self.cut(None, SERVICE_RESTART, "the gateway is being stopped")
            deadline = self._loop.time() + min(CUT_PATIENCE_S, grace_s)
            while self._open and self._loop.time() < deadline:
                if not await self._until_none_left(deadline):
                    break
        for client in list(self._open):
            client.abort()

    async def _until_none_left(self, deadline: float) -> bool:
        """False when the deadline has passed first."""
        self._none_left.clear()
        try:
            async with asyncio.timeout(deadline - self._loop.time()):
                await self._none_left.wait()
        except TimeoutError:
            return False
        return True

    def _cut(self, cut: Cut) -> None:
        for client in list(self._open):
            client.cut(cut)

    def _close_idle(self) -> None:
        for client in list(self._open):
            if client.is_idle:
                client.close()
