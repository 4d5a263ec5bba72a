"""The data of one region: a store on a disk of ours, the product's replication, write gate and status around it.

    gateway ──answer(head, body)──> gate: here, elsewhere or not now ──> store ──> as many regions as asked for
    control ──get, tell───────────> how far the data is; who takes writes, and until when

What HTTP carries in the product (sync/api) crosses as values: a write with its operation id, a read, an answer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from health.core.session_token import SessionToken
from sync.api.primary import CARRIED_FROM, Answered, Carried, PrimaryGate, PrimaryUnreachable
from sync.api.problems import Problem
from sync.core.dots import includes
from sync.core.levels import WriteLevel
from sync.core.primacy import Here, Primacy, Primary
from sync.core.wire import FrameRefused
from sync.core.writes import Refusal, Write, Written
from sync.errors import StoreUnavailable
from sync.replication.link import PeerRefused, PeerUnavailable
from sync.replication.pulling import Appetite
from sync.replication.replicator import Replicator
from tests.harness.lives import Life
from tests.harness.mesh_of_stores import MeshOfStores
from tests.simulation.regions.configured import REGIONS, RPO_S, Shape, config, peer_of
from tests.simulation.regions.gateway import Read
from tests.simulation.regions.wire import Unanswered, Wire
from tidegate.node.data_clock import DataClock
from tidegate.node.data_operator import PRIMARIES
from tidegate.node.data_side import DataSilent
from tidegate.node.logs import silent
from tidegate.node.replication import Replication
from tidegate.node.sync_status import PROGRESS, STANDING, SyncStatus
from tidegate.node.taking_over import take_over
from tidegate.node.tasks import Tasks

ACK_TIMEOUT_S = 1.5
CARRY_TIMEOUT_S = 3.0
SESSION_WAIT_S = 0.5


class Told(msgspec.Struct, frozen=True):
    """The answer to a write that was done."""

    origin: str
    seq: int
    hlc: int
    durability: str


@dataclass(frozen=True)
class Acknowledged:
    """A write of a primary's, at the moment at which its store said that it is done."""

    stream: str
    key: str
    dot: tuple[str, int]
    region: str
    epoch: int
    durability: str
    at: float


class WiredLink:
    """The way from one store to another."""

    def __init__(self, wire: Wire, mesh: MeshOfStores, source: str, target: str) -> None:
        self.name = peer_of(target)
        self.region = target
        self._wire = wire
        self._mesh = mesh
        self._source = source

    async def ask(self, frame: bytes, *, timeout_s: float) -> bytes:
        mesh, source, target = self._mesh, self._source, self.region

        async def handle() -> bytes:
            replicator = mesh.nodes[target].replicator
            if replicator is None:
                raise Unanswered("nothing is replicated yet")
            mesh.network.carried.append((source, target, frame))
            try:
                answer = await replicator.answer(mesh.network.damaged(frame), region=source)
            except (FrameRefused, PeerRefused, StoreUnavailable) as error:
                raise Unanswered(str(error)) from error
            mesh.network.carried.append((target, source, answer))
            return mesh.network.damaged(answer)

        if source in self._wire.deaf:
            await asyncio.sleep(timeout_s)
            raise PeerUnavailable(f"no answer in {timeout_s:g} s")
        try:
            return await self._wire.call(source, target, handle, timeout_s=timeout_s, what="a pull")
        except Unanswered as error:
            raise PeerUnavailable(str(error)) from error


class WiredReplication(Replication):
    """The product's words about its replicator, which is wired to links of ours."""

    def __init__(self, replicator: Replicator, links: list[WiredLink], *, shape: Shape, region: str) -> None:
        # All but the sockets, which are made in the constructor of the product's.
        self._replicator = replicator
        self._links = list(links)
        self._sent: dict[tuple[str, str], tuple[int, int]] = {}
        made = config(shape, region)
        assert made.sync is not None
        self._thresholds = made.sync.lag


class Data:
    """One life of one region's data process."""

    def __init__(
        self,
        mesh: MeshOfStores,
        wire: Wire,
        life: Life,
        *,
        shape: Shape,
        region: str,
        tasks: Tasks,
        boot: Callable[[], float],
        machine: Callable[[], float],
        peers: Mapping[str, Callable[[], Data]],
        acknowledged: list[Acknowledged],
        on_taking: Callable[[str, str, int], None],
        seed: str,
    ) -> None:
        """`on_taking(region, stream, epoch)`: this store has found that it may take a write of a primary's."""
        self._mesh, self._wire, self._life = mesh, wire, life
        self._region = region
        self._tasks = tasks
        self._boot = boot
        self._peers = peers
        self._acknowledged = acknowledged
        self._on_taking = on_taking
        self._node = mesh.nodes[region]
        self.store = self._node.store
        self._plans = self._node.plans
        self._status = SyncStatus(self.store)
        self._clock = DataClock(max_skew_s=0.5, log=silent(), machine=machine, now=boot)
        links = [WiredLink(wire, mesh, region, other) for other in REGIONS if other != region]
        self.replicator = Replicator(
            self.store,
            self._plans,
            links,
            region=region,
            appetite=Appetite(max_operations=100, max_bytes=1 << 20),
            upkeep=mesh.upkeep,
            on_transfer=lambda stream, to, count, _: self._node.transfers.append((stream, to, count)),
            on_confirmed=self._status.moved,
            on_clock=self._clock.heard,
            say=lambda level, event, facts: self._node.said.append((level, event, facts)),
            keep=tasks.keep,
            now=boot,
            wall=self._clock.wall,
            rng=random.Random(f"{seed} replicator"),
        )
        self._status.replication = WiredReplication(self.replicator, links, shape=shape, region=region)
        self._status.replication._plans = self._plans
        self.gate = PrimaryGate(
            Primacy(region, rpo_s=RPO_S), boot=boot, now=boot, carry=self._carry, confirmed=self.replicator.written
        )

    async def start(self) -> None:
        await self.replicator.start()
        self._node.replicator = self.replicator
        self._status.start(self._tasks)
        self._tasks.keep("take over writes", self._take_over)

    async def _take_over(self) -> None:
        await take_over(
            self.gate.primacy,
            self._plans,
            region=self._region,
            barrier=self.replicator.pass_barrier,
            boot=self._boot,
            say=lambda event, **facts: self._node.said.append(("info", event, facts)),
        )

    # What control asks and tells

    async def get(self, path: str, *, timeout_s: float) -> bytes:
        try:
            async with asyncio.timeout(timeout_s):
                if path == STANDING:
                    return msgspec.json.encode(await self._status.status())
                return msgspec.json.encode(
                    await self._status.progress(path.removeprefix(PROGRESS).removeprefix("?after="))
                )
        except (TimeoutError, StoreUnavailable) as error:
            raise DataSilent(str(error)) from error

    async def tell(self, path: str, body: bytes, *, timeout_s: float) -> bool:
        assert path == PRIMARIES
        self.gate.primacy.tell(msgspec.json.decode(body, type=dict[str, Primary]))
        return True

    async def close(self) -> None: ...

    # What clients ask

    async def read(self, stream: str, key: str, sessions: Mapping[str, SessionToken]) -> Read:
        """Once this store has what the session has seen, as sync/api/records.py waits for it. Raises Problem."""
        session, loop = sessions.get(self._plans[stream].residency_class), asyncio.get_running_loop()
        seen = {} if session is None else session.seen.get(stream, {})
        until = loop.time() + SESSION_WAIT_S
        while True:
            position = (await self.store.cursor(stream)).position
            applied = (await self.store.heads(stream)).applied
            if includes(applied, seen):
                return Read(dict(applied), await self.store.read(stream, key))
            left_s = until - loop.time()
            if left_s <= 0 or not await self.store.wait_for_change({stream: position}, timeout_s=left_s):
                raise Problem(503, "behind_session", "this region has not yet applied what this session has seen")

    async def write(self, write: Write, carried_from: str | None = None) -> Told:
        """Raises Problem."""
        plan = self._plans[write.stream]
        if not plan.is_here:
            raise Problem(421, "region_may_not_hold", "this region may not hold the collection")
        if plan.primary is None:
            return await self._written(write, "local")
        headers = {} if carried_from is None else {CARRIED_FROM.lower(): carried_from}
        found = await self.gate.standing(plan, headers)
        if isinstance(found, Here):
            self._on_taking(self._region, write.stream, found.epoch)
            told = await self._written(write, plan.write_level)
            self.gate.check(plan, found)
            self._acknowledged.append(
                Acknowledged(
                    write.stream,
                    write.key,
                    (told.origin, told.seq),
                    self._region,
                    found.epoch,
                    told.durability,
                    asyncio.get_running_loop().time(),
                )
            )
            return told
        answered = await self.gate.carry(found.region, "PUT", "/", headers, msgspec.msgpack.encode(write))
        if answered.status != 200:
            raise Problem(answered.status, answered.body.decode(), "answered by the primary")
        return msgspec.msgpack.decode(answered.body, type=Told)

    async def _written(self, write: Write, level: WriteLevel) -> Told:
        """Raises Problem."""
        try:
            (result,) = await self.store.write([write], now=self._clock.wall())
        except StoreUnavailable as error:
            raise Problem(507 if "space" in str(error) else 503, "store_unavailable", str(error)) from error
        if isinstance(result, Refusal):
            raise Problem(result.status, result.reason, result.detail)
        assert isinstance(result, Written)
        durability = "local"
        if level != "local":
            dot = (result.origin, result.seq)
            confirmed = await self.replicator.confirm(write.stream, dot, level, timeout_s=ACK_TIMEOUT_S)
            durability = confirmed.durability
        return Told(result.origin, result.seq, result.hlc, durability)

    async def _carry(self, region: str, asked: Carried) -> Answered:
        """To the data of another region, as sync/api/primary.py wants it. Raises PrimaryUnreachable."""
        write = msgspec.msgpack.decode(asked.body, type=Write)

        async def handle() -> Answered:
            try:
                told = await self._peers[region]().write(write, carried_from=self._region)
            except Problem as problem:
                return Answered(problem.status, (), problem.reason.encode())
            return Answered(200, (), msgspec.msgpack.encode(told))

        try:
            return await self._wire.call(
                self._region, region, handle, timeout_s=CARRY_TIMEOUT_S, what="a write that is carried"
            )
        except Unanswered as error:
            raise PrimaryUnreachable(str(error)) from error
