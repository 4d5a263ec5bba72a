"""Several regions' stores that replicate for real over a network of our own, in virtual time.

mesh = MeshOfStores({"eu": ["notes"], ...})     stores, replicators, links between all of them
await mesh.start()
mesh.network.cut("eu", "us")                    no message passes from eu to us; both ways with `both=True`
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.core.dots import Dot
from sync.core.operation import Operation
from sync.core.plans import CollectionPlan
from sync.core.reconciling import shown
from sync.replication.keeping import Upkeep
from sync.replication.link import PeerUnavailable
from sync.replication.pulling import Appetite
from sync.replication.replicator import Replicator
from tests.harness.memory_store import Disk, MemoryStore


@dataclass
class Network:
    """Delays, loses, repeats and cuts, by a seeded source."""

    rng: random.Random
    delay_s: tuple[float, float] = (0.001, 0.002)
    loss: float = 0.0
    damage: float = 0.0
    blocked: set[tuple[str, str]] = field(default_factory=set)
    """(from, to)."""
    carried: list[tuple[str, str, bytes]] = field(default_factory=list)
    """(from, to, frame): all that ever passed, for a search for what should not have."""

    def cut(self, one: str, other: str, *, both: bool = True) -> None:
        self.blocked.add((one, other))
        if both:
            self.blocked.add((other, one))

    def heal(self) -> None:
        self.blocked.clear()

    async def carry(self, source: str, target: str, frame: bytes, *, timeout_s: float) -> bytes:
        """One way. What is lost is noticed when the time is up, as on a real network."""
        if (source, target) in self.blocked or self.rng.random() < self.loss:
            await asyncio.sleep(timeout_s)
            raise PeerUnavailable(f"no answer within {timeout_s:g} s")
        await asyncio.sleep(self.rng.uniform(*self.delay_s))
        if (source, target) in self.blocked:
            await asyncio.sleep(timeout_s)
            raise PeerUnavailable(f"no answer within {timeout_s:g} s")
        self.carried.append((source, target, frame))
        return self.damaged(frame)

    def damaged(self, frame: bytes) -> bytes:
        """As it arrives: now and then with a bit turned over."""
        if self.rng.random() < self.damage:
            at = self.rng.randrange(len(frame))
            return frame[:at] + bytes([frame[at] ^ 0x40]) + frame[at + 1 :]
        return frame


class SimulatedLink:
    """The way from one store to another."""

    def __init__(self, mesh: MeshOfStores, source: str, target: str) -> None:
        self.name = target
        self.region = target
        self._mesh = mesh
        self._source = source

    async def ask(self, frame: bytes, *, timeout_s: float) -> bytes:
        mesh, source, target = self._mesh, self._source, self.name
        arrived = await mesh.network.carry(source, target, frame, timeout_s=timeout_s)
        node = mesh.nodes.get(target)
        if node is None or node.replicator is None:
            raise PeerUnavailable("connection refused")
        try:
            answer = await node.replicator.answer(arrived, region=source)
        except Exception as error:
            if type(error).__name__ in {"FrameRefused", "PeerRefused"}:
                raise PeerUnavailable(str(error)) from error
            raise
        return await mesh.network.carry(target, source, answer, timeout_s=timeout_s)


@dataclass
class Node:
    """One region's."""

    region: str
    disk: Disk
    plans: Mapping[str, CollectionPlan]
    store: MemoryStore
    name: str = "store1"
    """Of its store."""
    replicator: Replicator | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    said: list[tuple[str, str, Mapping[str, object]]] = field(default_factory=list)
    lives: int = 1
    offset_s: float = 0.0
    """Of its wall clock."""
    transfers: list[tuple[str, str, int]] = field(default_factory=list)
    """(stream, region, operations) that it sent."""


WALL_AT_START = 1_700_000_000.0


class MeshOfStores:
    """All regions; `plans_of` says which collections a region knows, and where they may be."""

    def __init__(
        self,
        regions: Mapping[str, Mapping[str, CollectionPlan]],
        *,
        seed: int = 1,
        appetite: Appetite | None = None,
        upkeep: Upkeep | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.network = Network(random.Random(seed + 1))
        self.nodes: dict[str, Node] = {}
        self._seed = seed
        self._appetite = appetite or Appetite(max_operations=100, max_bytes=1 << 20)
        self.upkeep = upkeep or Upkeep()
        self.archive: dict[str, dict[Dot, Operation]] = {}
        """All that was ever committed anywhere, by stream."""
        for region, plans in regions.items():
            disk = self.make_disk()
            store = self.make_store(region, plans, disk, life=1)
            self.nodes[region] = Node(region, disk, plans, store)

    def make_disk(self) -> Disk:
        disk = Disk()
        disk.archive = self.archive
        return disk

    def make_store(self, region: str, plans: Mapping[str, CollectionPlan], disk: Disk, *, life: int) -> MemoryStore:
        here = {name: plan for name, plan in plans.items() if plan.is_here}
        name = self.nodes[region].name if region in self.nodes else "store1"
        return MemoryStore(here, region=region, name=name, seed=f"{self._seed} {region} {life}", disk=disk)

    def wall(self, region: str) -> float:
        return WALL_AT_START + asyncio.get_running_loop().time() + self.nodes[region].offset_s

    async def start(self) -> None:
        """All of them."""
        for region in self.nodes:
            await self.start_node(region)

    async def start_node(self, region: str) -> None:
        """Replicate, with what its disk holds."""
        node = self.nodes[region]
        loop = asyncio.get_running_loop()

        def keep(name: str, work: Callable[[], Awaitable[None]]) -> None:
            async def live() -> None:
                await work()

            node.tasks.append(loop.create_task(live(), name=f"{region}: {name}"))

        replicator = Replicator(
            node.store,
            node.plans,
            [SimulatedLink(self, region, other) for other in self.nodes if other != region],
            region=region,
            appetite=self._appetite,
            upkeep=self.upkeep,
            on_transfer=lambda stream, to, count, _: node.transfers.append((stream, to, count)),
            say=lambda level, event, facts: node.said.append((level, event, facts)),
            keep=keep,
            now=loop.time,
            wall=lambda: self.wall(region),
            rng=random.Random(f"{self._seed} {region} {node.lives}"),
        )
        await replicator.start()
        node.replicator = replicator

    async def crash(self, region: str, *, power_loss: bool = False) -> None:
        """Stop at once; in the middle of whatever it does."""
        node = self.nodes[region]
        node.replicator = None
        node.store.die()
        for task in node.tasks:
            task.cancel()
        await asyncio.gather(*node.tasks, return_exceptions=True)
        node.tasks.clear()
        if power_loss:
            node.disk.lose_unsynced()

    async def restart(self, region: str, *, disk: Disk | None = None, renew: bool = True) -> None:
        """Begin another life; with `disk`, on a restored one, which is a new incarnation (unless a test says not)."""
        node = self.nodes[region]
        node.lives += 1
        node.store = self.make_store(region, node.plans, disk or node.disk, life=node.lives)
        if disk is not None:
            node.disk = disk
        if disk is not None and renew:
            for stream in node.store.streams():
                await node.store.renew_incarnation(stream, reason="restored from a backup")
        await self.start_node(region)

    def stop(self) -> None:
        for node in self.nodes.values():
            for task in node.tasks:
                task.cancel()

    async def until(self, condition: Callable[[], Any], *, within_s: float, what: str, every_s: float = 0.05) -> None:
        """Wait in virtual time. Raises AssertionError when it does not come true."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while not condition():
            assert loop.time() < deadline, f"{what}: not within {within_s:g} s"
            await asyncio.sleep(every_s)

    def states(self, stream: str) -> list[dict[str, Any]]:
        """What every region that holds the stream believes of its keys."""
        return [dict(node.disk.streams[stream].states) for node in self.nodes.values() if stream in node.disk.streams]

    def has_converged(self, stream: str) -> bool:
        """Whether all have the same operations, and believe the same of what lives. Tombstones may be forgotten."""
        first, *others = [
            (
                {origin: head.seq for origin, head in node.disk.streams[stream].heads.items()},
                {key: shown(state) for key, state in node.disk.streams[stream].states.items() if state.is_live},
            )
            for node in self.nodes.values()
            if stream in node.disk.streams
        ]
        return all(other == first for other in others)
