"""How does a whole mesh stop waiting for a member that is gone? One node asks all others, and tells what became of it.

    operator ──> sync process here ──Eviction──> POST /peer/v1/sync/evict ──> sync process there ──> Evicted
       1  has anybody heard it in the last minute?     then nobody evicts it
       2  evict it here, and on every node that has answered

Each node decides for its own store, so a node that was not reached waits on; the same order again, once it is back,
changes nothing on those that have obeyed already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
from aiohttp import web

from config.models import Config
from health.peering.client import PeerClient, PeerRefused, PeerUnreachable
from sync.api.behind_aiohttp import read_body
from sync.core.dots import region_of
from sync.errors import SyncError
from sync.replication.keeping import StillAlive
from sync.replication.replicator import Replicator
from tidegate.node.peer_refusals import refusal

EVICT: Final = "/peer/v1/sync/evict"
ANSWER_S: Final = 3.0
"""For each of the two questions: an operator waits for the slowest of all nodes."""
MAX_ORDER: Final = 64 << 10

Outcome = Literal["evicted", "already", "unknown", "alive", "failed", "refused", "not_reached"]
"""already: it was not waited for. unknown: nothing waits for such a member. refused: by a node of another version."""


class Eviction(msgspec.Struct, frozen=True):
    """The order, from node to node."""

    member: str
    because: str
    is_question: bool
    """Only say what would become of it."""


class Evicted(msgspec.Struct, frozen=True):
    """What one node said."""

    node: str
    """Its id, or its address where it was not reached."""
    region: str
    outcome: Outcome
    detail: str = ""
    collections: tuple[tuple[str, str], ...] = ()
    """Collection and member of each that is waited for no longer."""


class Evicting:
    """Both ends, of one sync process."""

    def __init__(self, config: Config, client: PeerClient, replicator: Replicator, *, say: Callable[..., None]) -> None:
        """`say(message, **facts)` is the log."""
        self._node, self._region = config.node.id, config.node.region or ""
        self._peers = [(url, region.id) for region in config.regions for url in region.peers]
        self._client = client
        self._replicator = replicator
        self._say = say

    async def everywhere(self, member: str, *, because: str) -> list[Evicted]:
        """What each node said, this one first. Raises StillAlive where any has heard it, and SyncError."""
        asked = Eviction(member, because, is_question=True)
        found = [await self._here(asked), *await self._ask(self._peers, asked)]
        for one in found:
            if one.outcome == "alive":
                raise StillAlive(f"{one.node}: {one.detail}")
        if all(one.outcome not in {"evicted", "already"} for one in found):
            return found
        order = Eviction(member, because, is_question=False)
        own = await self._here(order)
        silent = {one.node for one in found if one.outcome == "not_reached"}
        reached = [(url, region) for url, region in self._peers if url not in silent]
        others = await self._ask(reached, order)
        return [own, *others, *(one for one in found if one.outcome == "not_reached")]

    async def _ask(self, peers: list[tuple[str, str]], asked: Eviction) -> list[Evicted]:
        answers = await asyncio.gather(*(self._ask_one(url, region, asked) for url, region in peers))
        return [one for one in answers if one.node != self._node]

    async def _ask_one(self, url: str, region: str, asked: Eviction) -> Evicted:
        try:
            _, answer = await self._client.call(url, "POST", EVICT, msgspec.msgpack.encode(asked), timeout_s=ANSWER_S)
            return msgspec.msgpack.decode(answer, type=Evicted)
        except PeerUnreachable as error:
            return Evicted(url, region, "not_reached", str(error))
        except PeerRefused as error:
            return Evicted(url, region, "not_reached" if error.status == 503 else "refused", str(error))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return Evicted(url, region, "refused", f"an answer that is not understood: {error}")

    async def _here(self, asked: Eviction) -> Evicted:
        """Raises SyncError."""

        def said(outcome: Outcome, detail: str = "", collections: list[tuple[str, str]] | None = None) -> Evicted:
            return Evicted(self._node, self._region, outcome, detail, tuple(collections or ()))

        own, keeper = self._replicator.member, self._replicator.keeper
        if asked.member in {own, region_of(own)}:
            return said("alive", f"{own} is this node's own store, and answers")
        try:
            found = keeper.awaited(asked.member)
            if found and not asked.is_question:
                found = await keeper.evict(asked.member, because=asked.because)
        except StillAlive as alive:
            return said("alive", str(alive))
        if found:
            return said("evicted", collections=found)
        return said("already" if keeper.is_evicted(asked.member) else "unknown")

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """What a peer brings, as control's listener has proven who it is."""
        body = await read_body(request, at_most=MAX_ORDER)
        if body is None:
            return refusal(413, "too_large", f"an order above {MAX_ORDER} bytes")
        try:
            asked = msgspec.msgpack.decode(body, type=Eviction)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return refusal(400, "malformed_frame", f"no order: {error}")
        try:
            told = await self._here(asked)
        except SyncError as error:
            told = Evicted(self._node, self._region, "failed", str(error))
        if not asked.is_question:
            by = request.headers.get("Tidegate-Peer-Node", "")
            self._say("an order to evict a member came from a peer", member=asked.member, by=by, outcome=told.outcome)
        return web.Response(body=msgspec.msgpack.encode(told), content_type="application/octet-stream")


def as_document(found: list[Evicted]) -> dict[str, Any]:
    """For the operator who ordered it."""
    return {
        "evicted": [
            {"collection": collection, "member": member} for one in found[:1] for collection, member in one.collections
        ],
        "nodes": [
            {
                "node": one.node,
                "region": one.region,
                "outcome": one.outcome,
                "detail": one.detail,
                "collections": sorted({collection for collection, _ in one.collections}),
            }
            for one in found
        ],
    }
