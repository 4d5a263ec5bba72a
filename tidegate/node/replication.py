"""Replication, wired: the links to all other nodes (links.py), and the socket on which they are answered.

    data_dir/peer-sync.socket   what peers ask, brought by control's listener, which has proven who they are
      POST /peer/v1/sync/pull   a Pull, answered by a Pulled (sync/core/wire.py)
           /peer/v1/sync/line   the same again and again, over a kept line (health/peering/lines.py)
           /peer/v1/sync/evict  an operator's order at another node (evicting.py)

The socket is another one than the data API's: a route may bring any path to that one, and none to this. What this
node's own processes ask is on a third one (data_operator.py).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from config.core.signing import Signer
from config.models import Config, Sync
from config.secrets import resolve
from health.peering import lines
from health.peering.certificates import client_context, files_of
from health.peering.client import PeerClient
from health.peering.identity import Identity
from sync.api.behind_aiohttp import read_body
from sync.api.operating import Distrusted, Found
from sync.api.primary import Answered, Carried
from sync.core.dots import Dot
from sync.core.lag import Lag
from sync.core.levels import Durability
from sync.core.plans import CollectionPlan
from sync.core.wire import MAX_REQUEST, FrameRefused
from sync.errors import StoreUnavailable
from sync.replication.barrier import Passed
from sync.replication.comparing import Findings
from sync.replication.keeping import Upkeep
from sync.replication.link import UNVERSIONED, PeerRefused, Versions
from sync.replication.pulling import Appetite
from sync.replication.replicator import Confirmed, MemberLine, Replicator
from sync.store import Store
from tidegate.node.carrying import WRITE, Carrier
from tidegate.node.core.replicated import LagLine, PeerLine, SentLine, UpkeepLine, level_of
from tidegate.node.data_clock import DataClock
from tidegate.node.evicting import EVICT, Evicted, Evicting
from tidegate.node.handover import DataDirSockets
from tidegate.node.links import IS_US, LINE, PULL, links_of
from tidegate.node.logs import Log
from tidegate.node.peer_refusals import refusal
from tidegate.node.renewal import Renewal
from tidegate.node.tasks import Tasks
from tidegate.node.wall import wall

SOCKET: Final = "peer-sync.socket"


def upkeep_of(sync: Sync) -> Upkeep:
    return Upkeep(
        anti_entropy_s=sync.anti_entropy.interval,
        evict_after_s=sync.evict_after,
        max_log=sync.max_log,
    )


class Replication:
    """One sync process's. `confirm` stands in for the store's own word from the start."""

    def __init__(
        self,
        config: Config,
        store: Store,
        plans: Mapping[str, CollectionPlan],
        *,
        signer: Signer,
        environ: Mapping[str, str],
        directory: DataDirSockets,
        log: Log,
        tasks: Tasks,
        clock: DataClock,
        on_confirmed: Callable[[], None] = lambda: None,
        versions: Versions = UNVERSIONED,
    ) -> None:
        """`on_confirmed` is told that some store has applied more. Raises SecretUnavailable, KeysUnusable or
        CertificateUnusable."""
        if config.sync is None or config.peer is None:
            raise ValueError("replication without `sync`, or without `peer`")
        self._plans = plans
        self._thresholds = config.sync.lag
        self._sent: dict[tuple[str, str], tuple[int, int]] = {}
        self._directory = directory
        self._runner: web.ServerRunner | None = None
        self._identity = identity = Identity(
            node=config.node.id,
            region=config.node.region,
            regions=[region.id for region in config.regions],
            signer=signer,
        )
        self._keep = tasks.keep
        secret, tls = config.peer.secret, config.peer.tls
        self._tls = tls
        self._renewal = Renewal("pulls from peers", files=lambda: files_of(tls), renew=self._renew, log=log)
        self._secret = None if secret is None else Signer((resolve(secret, environ=environ),))
        self._client = PeerClient(
            identity,
            signer=self._secret,
            tls=None if tls is None else client_context(tls),
            wall=wall,
        )
        self._carrier = Carrier(config, self._client)
        self._links = links_of(config, self._client)
        batch = config.sync.batch
        self._replicator = Replicator(
            store,
            plans,
            self._links,
            region=config.node.region,
            appetite=Appetite(max_operations=batch.max_items, max_bytes=batch.max_bytes),
            upkeep=upkeep_of(config.sync),
            on_transfer=self._count_sent,
            versions=versions,
            on_confirmed=on_confirmed,
            on_clock=clock.heard,
            say=lambda level, event, facts: _say(log, level, event, facts),
            keep=tasks.keep,
            now=time.monotonic,
            wall=clock.wall,
            rng=random.Random(),  # noqa: S311 - jitter
        )
        self._evicting = Evicting(config, self._client, self._replicator, say=log.warning)

    def adopt(self, signer: Signer) -> None:
        """The mesh's keys have changed."""
        self._identity.adopt(signer)

    async def start(self) -> None:
        """Answer peers, and pull from them."""
        await self._replicator.start()
        server = web.Server(self._handle, access_log=None, keepalive_timeout=3600.0)
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.SockSite(self._runner, self._directory.listen(SOCKET), backlog=128).start()
        self._keep("peer certificates", self._renewal.run)

    async def _renew(self) -> None:
        """Raises `CertificateUnusable`."""
        if self._tls is not None:
            self._client.renew(await asyncio.to_thread(client_context, self._tls))

    async def close(self) -> None:
        self._directory.remove(SOCKET)
        if self._runner is not None:
            await self._runner.cleanup()
        await self._carrier.close()
        await self._client.close()

    async def confirm(self, stream: str, dot: Dot, wanted: Durability, *, timeout_s: float) -> Confirmed:
        return await self._replicator.confirm(stream, dot, wanted, timeout_s=timeout_s)

    def distrusted(self) -> list[Distrusted]:
        """Origins from which nothing is taken any more, by peer."""
        return [
            Distrusted(name, stream, origin, why)
            for name, standing in self._replicator.standings().items()
            for (stream, origin), why in standing.distrusted.items()
        ]

    async def quarantined(self, stream: str) -> dict[str, Found]:
        """By version: why each is held. Raises SyncError."""
        found = await self._replicator.quarantine.found(stream)
        return {version: Found(one.why, one.peer, one.at) for version, one in found.items()}

    async def ask_again(self, stream: str, origin: str | None) -> int:
        return await self._replicator.quarantine.retry(stream, origin=origin)

    async def give_up(self, stream: str, dot: Dot) -> bool:
        return await self._replicator.quarantine.release(stream, dot)

    def trust_again(self, stream: str, origin: str) -> list[str]:
        return self._replicator.trust_again(stream, origin)

    async def pass_barrier(
        self, stream: str, *, timeout_s: float, own_region_only: bool = False, needs_all: bool = True
    ) -> Passed:
        return await self._replicator.pass_barrier(
            stream, timeout_s=timeout_s, own_region_only=own_region_only, needs_all=needs_all
        )

    async def written(self, stream: str) -> tuple[int, Mapping[str, int]]:
        return await self._replicator.written(stream)

    async def carry(self, region: str, asked: Carried) -> Answered:
        return await self._carrier.carry(region, asked)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if (request.method, request.path) == ("GET", LINE) and lines.is_line(request.headers):
            return await self._serve_line(request)
        handlers = {WRITE: self._carrier.handle, EVICT: self._evicting.handle, PULL: self._pull}
        handler = handlers.get(request.path) if request.method == "POST" else None
        if handler is None:
            return refusal(404, "no_such_path", f"{request.method} {request.path}, expected POST {PULL}")
        return await handler(request)

    async def _pull(self, request: web.BaseRequest) -> web.Response:
        body = await read_body(request, at_most=MAX_REQUEST)
        if body is None:
            return refusal(413, "too_large", f"a question above {MAX_REQUEST} bytes")
        try:
            answer = await self._replicator.answer(body, region=request.headers.get("Tidegate-Peer-Region", ""))
        except (FrameRefused, PeerRefused, StoreUnavailable) as error:
            return refusal(*_why(error))
        return web.Response(body=answer, content_type="application/octet-stream")

    async def _serve_line(self, request: web.BaseRequest) -> web.StreamResponse:
        region = request.headers.get("Tidegate-Peer-Region", "")

        async def answer(question: bytes) -> bytes:
            try:
                return await self._replicator.answer(question, region=region)
            except (FrameRefused, PeerRefused, StoreUnavailable) as error:
                raise lines.LineRefused(*_why(error)) from error

        return await lines.serve(
            request,
            answer,
            identity=self._identity,
            signer=self._secret,
            max_question=MAX_REQUEST,
            clock=time.monotonic,
        )

    def status(self) -> dict[str, Any]:
        """Peers with what is wrong with them, and lag by peer and collection."""
        lines = [
            msgspec.to_builtins(line)
            | {"level": level_of(line.seconds, stalled=line.stalled, thresholds=self._thresholds)}
            for line in self.lag()
        ]
        return {"member": self.member, "peers": msgspec.to_builtins(self.peers()), "lag": lines}

    def peers(self) -> list[PeerLine]:
        """The other nodes, with what is wrong with them."""
        silences = self._replicator.silences()
        return [
            PeerLine(
                peer=name,
                region=silences[name][0],
                reached=standing.is_reached,
                problem=standing.problem,
                operations=standing.operations,
                bytes=standing.bytes,
                silent_s=silences[name][1],
                clock_offset_s=standing.clock_offset_s,
                refused_collections=standing.refused_streams,
                distrusted=[
                    {"collection": stream, "origin": origin, "why": why}
                    for (stream, origin), why in standing.distrusted.items()
                ],
            )
            for name, standing in self._replicator.standings().items()
            if standing.problem != IS_US
        ]

    def lag(self) -> list[LagLine]:
        """By peer and collection; also of those that were never heard of."""
        known = {(line.peer, line.stream): line.lag for line in self._replicator.lag()}
        never = Lag(0, None, is_stalled=False)
        lines = []
        for peer in self.peers():
            for plan in self._plans.values():
                if plan.is_here and peer.region in plan.regions:
                    lag = known.get((peer.peer, plan.name), never)
                    lines.append(
                        LagLine(peer.peer, peer.region, plan.name, lag.operations, lag.seconds, stalled=lag.is_stalled)
                    )
        return lines

    def sent(self) -> list[SentLine]:
        """What peers were given."""
        return [SentLine(stream, region, *count) for (stream, region), count in self._sent.items()]

    def upkeep(self) -> list[UpkeepLine]:
        """How comparing, copying and forgetting go."""
        return [self._upkeep_of(stream) for stream, plan in self._plans.items() if plan.is_here]

    def _upkeep_of(self, stream: str) -> UpkeepLine:
        replicator = self._replicator
        findings = replicator.comparer.findings.get(stream, Findings())
        return UpkeepLine(
            collection=stream,
            comparisons=findings.rounds,
            clean_comparisons=findings.clean_rounds,
            repaired=findings.repaired,
            suspected=findings.suspected,
            snapshots=replicator.snapshots.taken.get(stream, 0),
            forgotten=replicator.keeper.forgotten.get(stream, 0),
            evicted=replicator.keeper.evicted_from(stream),
        )

    async def long_life(self) -> dict[str, Any]:
        """Members and who is evicted, comparisons, and a snapshot that is under way."""
        members = [
            {
                "collection": line.stream,
                "member": line.member,
                "silent_s": line.silent_s,
                "holds_up": line.holds_up,
                "evicted": None if line.evicted is None else msgspec.to_builtins(line.evicted),
            }
            for line in await self._replicator.keeper.members()
        ]
        now = self._replicator.snapshots.progress
        snapshot = None
        if now is not None:
            snapshot = {"collection": now.stream, "peer": now.peer, "keys": now.keys, "of_keys": now.of_keys}
        return {"members": members, "comparisons": msgspec.to_builtins(self.upkeep()), "snapshot": snapshot}

    async def evict(self, member: str, *, because: str) -> list[Evicted]:
        """On every node that is reached, this one first. Raises StillAlive."""
        return await self._evicting.everywhere(member, because=because)

    def take_snapshot(self, stream: str, region: str | None) -> str | None:
        """Begin one; the peer that it is taken from, None where there is none."""
        plan = self._plans.get(stream)
        if plan is None or not plan.is_here:
            return None
        standings = self._replicator.standings()
        for link in self._links:
            is_us = link.name in standings and standings[link.name].problem == IS_US
            if link.region in plan.regions and region in {None, link.region} and not is_us:
                self._replicator.snapshots.order(stream, link)
                return link.name
        return None

    def members(self) -> list[MemberLine]:
        """The other stores, with what each has applied."""
        return self._replicator.members()

    @property
    def member(self) -> str:
        return self._replicator.member

    def _count_sent(self, stream: str, region: str, operations: int, size: int) -> None:
        before = self._sent.get((stream, region), (0, 0))
        self._sent[stream, region] = (before[0] + operations, before[1] + size)


def _say(log: Log, level: str, event: str, facts: Mapping[str, object]) -> None:
    if facts.get("why") == IS_US:
        return
    say = {"error": log.problem, "warning": log.warning}.get(level, log.info)
    say(event, **facts)


def _why(error: FrameRefused | PeerRefused | StoreUnavailable) -> tuple[int, str, str]:
    """Status, reason and words for the peer."""
    if isinstance(error, FrameRefused):
        return 400, "malformed_frame", str(error)
    if isinstance(error, PeerRefused):
        return 403, "peer_refused", str(error)
    return 503, "store_unavailable", "the store cannot answer now"
