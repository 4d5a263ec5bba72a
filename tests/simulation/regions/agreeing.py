"""How do the nodes of a run agree? The product's quorum, election, agreed state and gossip, over wires of ours."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec

from health.core.acceptor import Answer, Request
from health.core.lease import REGISTER, Lease, LeaseSettings
from health.election import Election
from health.peering.client import PeerClient, PeerUnreachable
from health.peering.gossip import Gossip
from health.peering.identity import Peer
from health.quorum.acceptors import Silent, StoredAcceptor
from health.quorum.quorum import Quorum
from health.state.agreed import AgreedStore
from health.state.embedded import EmbeddedStore
from tests.simulation.regions.around import Around, Clock
from tests.simulation.regions.configured import LEASE_S, REGIONS, RENEW_S, peer_of
from tests.simulation.regions.disk import LOCAL, STATE, RegionDisk
from tests.simulation.regions.wire import Unanswered
from tidegate.node.agreement import Agreement


class WiredAcceptor:
    """The acceptor of another region, or this one's own."""

    def __init__(self, around: Around, source: str, target: str, acceptors: Mapping[str, StoredAcceptor]) -> None:
        self._around = around
        self._source = source
        self._target = target
        self._acceptors = acceptors

    async def ask(self, request: Request, *, timeout_s: float) -> Answer:
        async def handle() -> Answer:
            # As bytes: what two nodes hold is never the same object.
            asked = msgspec.json.decode(msgspec.json.encode(request), type=Request)
            answered = await self._acceptors[self._target].ask(asked)
            answer: Answer = msgspec.json.decode(msgspec.json.encode(answered), type=Answer)
            return answer

        try:
            return await self._around.wire.call(
                self._source, self._target, handle, timeout_s=timeout_s, what=type(request).__name__
            )
        except Unanswered as error:
            raise Silent(str(error)) from error

    async def listen(self, hint: Callable[[], None]) -> None:
        """Peers tell by gossip."""

    async def close(self) -> None: ...


class WiredPeers:
    """What gossip needs of `PeerClient`."""

    def __init__(self, around: Around, source: str, gossips: Callable[[str], Gossip]) -> None:
        self._around = around
        self._source = source
        self._gossips = gossips

    async def call(self, url: str, method: str, path: str, body: bytes, *, timeout_s: float) -> tuple[Peer, bytes]:
        target = next(region for region in REGIONS if peer_of(region) == url)

        async def handle() -> bytes:
            answer = await self._gossips(target).answer(
                cast("Any", _Asked(body)), Peer(f"gw-{self._source}", self._source)
            )
            return bytes(cast("bytes", answer.body))

        try:
            content = await self._around.wire.call(
                self._source, target, handle, timeout_s=timeout_s, what="what a node says of itself"
            )
        except Unanswered as error:
            raise PeerUnreachable(str(error)) from error
        return Peer(f"gw-{target}", target), content


@dataclass(frozen=True)
class _Asked:
    """A request, as far as gossip reads it."""

    body: bytes

    async def read(self) -> bytes:
        return self.body


class Agreeing:
    """One node's part in what all agree on: the stores and elections of its control process, and its gossip."""

    def __init__(
        self,
        around: Around,
        region: str,
        *,
        run: str,
        clock: Clock,
        disk: RegionDisk,
        acceptors: Mapping[str, StoredAcceptor],
        gossips: Callable[[str], Gossip],
        seed: str,
    ) -> None:
        """`gossips` finds the gossip of another region's node, as it is now."""
        self._region, self._run, self._clock, self._seed = region, run, clock, seed
        boot = clock.boot
        wires = {peer_of(name): WiredAcceptor(around, region, name, acceptors) for name in REGIONS}
        self.quorum = Quorum(wires, run=run, rng=random.Random(f"{seed} quorum"))
        copy = EmbeddedStore(Path(STATE), owner=run, clock=boot, connect=disk.connect)
        local = EmbeddedStore(Path(LOCAL), owner=run, clock=boot, connect=disk.connect)
        agreed = AgreedStore(self.quorum, copy, unique=around.name)
        election = self._election(REGISTER, fence=agreed.raise_fence, floor=copy.fence)
        self.gossip = Gossip(
            copy.soft_book,
            cast("PeerClient", WiredPeers(around, region, gossips)),
            [peer_of(name) for name in REGIONS],
            node=f"gw-{region}",
            revision=lambda: agreed.revision,
            hint=agreed.hint,
        )
        self.agreement = Agreement(
            agreed,
            local,
            election,
            run,
            gossip=self.gossip,
            election=election,
            write_election=lambda name: self._election(f"write {name}", fence=_no_fence),
        )

    def _election(self, register: str, *, fence: Callable[[int], Awaitable[None]], floor: int = 0) -> Election:
        lease = Lease(
            run=self._run,
            node=f"gw-{self._region}",
            settings=LeaseSettings(ttl_s=LEASE_S, renew_s=RENEW_S, poll_s=RENEW_S / 2),
            rng=random.Random(f"{self._seed} {register}"),
            now=self._clock.boot(),
        )
        lease.raise_floor(floor)
        return Election(lease, self.quorum, fence=fence, clock=self._clock.boot, register=register)


async def _no_fence(epoch: int) -> None:
    """The write lease's is the gate of the holder's own store."""
