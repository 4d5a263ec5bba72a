"""The ways from this sync process to those of all other nodes, over the peer channel.

a pull        over a kept line: hundreds a second, while writes come
all else      by a request of its own; so does a pull of a peer that gives no line
"""

from __future__ import annotations

import time
from typing import Final

from config.models import Config
from health.peering.client import PeerClient, PeerUnreachable
from health.peering.client import PeerRefused as AnswerRefused
from health.peering.identity import Peer
from health.peering.lines import Line, LineBroken, LineRefused
from sync.replication.link import Link, OwnAddress, PeerRefused, PeerUnavailable

PULL: Final = "/peer/v1/sync/pull"
LINE: Final = "/peer/v1/sync/line"
IS_US: Final = "this node's own address"
NO_LINE_S: Final = 5.0
"""A peer that gives no line (an older version, a proxy before it) is asked for one this seldom."""


class PeerLink:
    """One node, by the address that the configuration gives it."""

    def __init__(self, client: PeerClient, url: str, region: str, *, own_node: str) -> None:
        self.name = url
        self.region = region
        self.is_this_node = False
        """An address among `peers` is this node's own; it turns out when it answers."""
        self._client = client
        self._own_node = own_node
        self._line: Line | None = None
        self._is_line_taken = False
        self._no_line_until = 0.0

    async def ask(self, frame: bytes, *, timeout_s: float) -> bytes:
        if self.is_this_node:
            raise OwnAddress(IS_US)
        try:
            peer, answer = await self._asked(frame, timeout_s)
        except PeerUnreachable as error:
            raise PeerUnavailable(str(error)) from error
        except (AnswerRefused, LineRefused) as error:
            raise PeerRefused(f"{error.reason}: {error}") from error
        if peer.node == self._own_node:
            self.is_this_node = True
            raise OwnAddress(IS_US)
        if peer.region != self.region:
            raise PeerRefused(f"{self.name} stands in {peer.region}, expected {self.region}")
        return answer

    async def _asked(self, frame: bytes, timeout_s: float) -> tuple[Peer, bytes]:
        if self._is_line_taken:
            return await self._client.call(self.name, "POST", PULL, frame, timeout_s=timeout_s)
        self._is_line_taken = True
        try:
            line = await self._open_line(timeout_s)
            if line is not None:
                try:
                    return line.peer, await line.ask(frame, timeout_s=timeout_s)
                except TimeoutError as error:
                    raise PeerUnreachable(f"{self.name}: no answer in {timeout_s:g} s") from error
                except LineBroken as error:
                    raise PeerUnreachable(f"{self.name}: {error}") from error
        finally:
            self._is_line_taken = False
        return await self._client.call(self.name, "POST", PULL, frame, timeout_s=timeout_s)

    async def _open_line(self, timeout_s: float) -> Line | None:
        """The one that there is, or a new one; None where the peer gives none."""
        now = time.monotonic()
        if self._line is not None and not self._line.may_be_used(now):
            line, self._line = self._line, None
            await line.close()
        if self._line is None and now >= self._no_line_until:
            self._line = await self._client.open_line(self.name, LINE, timeout_s=timeout_s, now=now)
            if self._line is None:
                self._no_line_until = now + NO_LINE_S
        return self._line


def links_of(config: Config, client: PeerClient) -> list[Link]:
    """The ways to all nodes that the configuration has an address of."""
    return [
        PeerLink(client, url, region.id, own_node=config.node.id) for region in config.regions for url in region.peers
    ]
