"""One simulated mesh of whole regions, its clients and its misfortunes, all from one seed.

    run(seed) -> Report      the same for the same seed; `violations` is empty where all is well

Three regions, each with a node and servers of three services; clients that ask for pages, keep sessions, and read and
write data through their region's gateway, or another's; a storm of faults; then everything heals, and what must hold
is checked. Some things are checked all the time: who leads, who takes writes, what is drained (books.py).
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from health.quorum.acceptors import StoredAcceptor
from sync.core.dots import Dot
from sync.core.plans import compile_plans
from sync.replication.keeping import Upkeep
from sync.replication.pulling import Appetite
from tests.harness import virtual_time
from tests.harness.lives import Life, LivesLoop
from tests.harness.mesh_of_stores import WALL_AT_START, MeshOfStores
from tests.simulation.history import History
from tests.simulation.regions.around import Around, Clock
from tests.simulation.regions.backends import Backends, Server
from tests.simulation.regions.books import Books
from tests.simulation.regions.configured import REGIONS, Shape, config, drawn
from tests.simulation.regions.disk import Cells, RegionDisk
from tests.simulation.regions.node import Node
from tests.simulation.regions.wire import Wire
from tests.simulation.report import Report

STORM_S = 25.0
WARM_UP_S = 6.0
"""Until all know each other, and somebody leads and takes writes."""

Fault = Callable[["World", str, random.Random], Awaitable[None]]


@dataclass
class World:
    """What faults, clients and mutations may reach into."""

    seed: int
    around: Around
    left_out: frozenset[str]
    books: Books
    repertoire: Sequence[Fault]
    history: History = field(default_factory=History)
    faults: list[str] = field(default_factory=list)
    disks: dict[str, RegionDisk] = field(default_factory=dict)
    clocks: dict[str, Clock] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    acceptors: dict[str, StoredAcceptor] = field(default_factory=dict)
    is_over: bool = False
    statuses: dict[tuple[str, int], int] = field(default_factory=dict)
    """What clients got, by kind of request: for people, and to see that a run is worth something."""
    found: list[str] = field(default_factory=list)
    """Violations that were seen while it ran."""
    lost_dots: set[Dot] = field(default_factory=set)
    lost_sectors: set[tuple[str, str, str]] = field(default_factory=set)
    on_started: list[Callable[[Node], None]] = field(default_factory=list)
    """What a planted bug does to every node that starts."""
    background: list[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=list)
    replaced: list[tuple[Any, str, Any]] = field(default_factory=list)

    @property
    def mesh(self) -> MeshOfStores:
        return self.around.mesh

    def replace(self, owner: Any, name: str, value: Any) -> None:
        """Plant something in the production code, for this run."""
        self.replaced.append((owner, name, owner.__dict__[name]))
        setattr(owner, name, value)

    def restore(self) -> None:
        while self.replaced:
            setattr(*self.replaced.pop())

    # Regions

    restored_at: dict[str, list[float]] = field(default_factory=dict)
    """When a region's data last went back to what a backup held."""

    def is_up(self, region: str) -> bool:
        return not self.around.lives[region].is_over

    def begin(self, region: str) -> None:
        """Another life of a region's process, on the disk that is there."""
        held = self.mesh.nodes[region]
        self.around.lives[region] = Life(region)
        self.nodes[region] = node = Node(
            self.around,
            region,
            held.lives,
            disk=self.disks[region],
            clock=self.clocks[region],
            nodes=self.nodes,
            acceptors=self.acceptors,
        )
        for change in self.on_started:
            change(node)
        node.start()

    def crash(self, region: str, *, power_loss: bool = False) -> None:
        """At once; in the middle of whatever it does."""
        held = self.mesh.nodes[region]
        self.around.lives[region].end()
        held.store.die()
        held.replicator = None
        if power_loss:
            held.disk.lose_unsynced()

    async def restart(self, region: str, *, disk: RegionDisk | None = None, renew: bool = True) -> None:
        """With `disk`, on a restored one: a new incarnation of the data, unless told otherwise."""
        held = self.mesh.nodes[region]
        held.lives += 1
        # A node that starts with a wrong clock, and has heard nobody yet, stamps by it: that is known, so it is set.
        self.clocks[region].offset_s = max(-0.2, min(0.2, self.clocks[region].offset_s))
        if disk is not None:
            self.disks[region] = disk
            self.restored_at.setdefault(region, []).append(asyncio.get_running_loop().time())
            held.disk = disk.data
        held.store = self.mesh.make_store(region, held.plans, held.disk, life=held.lives)
        if disk is not None and renew:
            for stream in held.store.streams():
                await held.store.renew_incarnation(stream, reason="restored from a backup")
        self.begin(region)


Mutation = Callable[[World], None]


def run(seed: int, mutate: Mutation | None = None, *, left_out: Collection[str] = ()) -> Report:
    """One run in virtual time. `left_out`: faults, by number, that do not happen this time."""
    return virtual_time.run(_play(seed, mutate, frozenset(left_out)), loop=LivesLoop)


async def _play(seed: int, mutate: Mutation | None, left_out: frozenset[str]) -> Report:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LivesLoop)
    world = made(seed, left_out)
    try:
        if mutate is not None:
            mutate(world)
        return await _live(world)
    finally:
        world.restore()
        loop.let_go()


def made(seed: int, left_out: frozenset[str] = frozenset()) -> World:
    """Nothing runs yet."""
    from tests.simulation.regions.faults import FAULTS  # noqa: PLC0415 - faults act on worlds

    shape = drawn(random.Random(f"{seed} shape"))
    mesh = MeshOfStores(
        {name: compile_plans(config(shape, name), now=WALL_AT_START) for name in REGIONS},
        seed=seed,
        appetite=Appetite(max_operations=100, max_bytes=1 << 20),
        upkeep=Upkeep(anti_entropy_s=3.0, evict_after_s=1e6, keep_operations=1000, tick_s=2.0),
    )
    lives: dict[str, Life] = {}
    wire = Wire(mesh.network, lives, random.Random(f"{seed} wire"))
    around = Around(seed, mesh, wire, lives, _servers(shape), shape)
    around.backends.applied = _reading(mesh)
    world = World(seed, around, left_out, Books(around), FAULTS)
    world.books.nodes = world.nodes
    world.books.history = world.history
    around.on_taking = world.books.taking
    rng = random.Random(f"{seed} clocks")
    for region in REGIONS:
        world.disks[region] = RegionDisk(mesh.nodes[region].disk)
        world.clocks[region] = Clock(1 + rng.uniform(-0.009, 0.009), rng.uniform(0, 1000), rng.uniform(-0.1, 0.1))
        world.acceptors[region] = StoredAcceptor(Cells(_disk_of(world, region)), fresh=around.name)
    return world


def _disk_of(world: World, region: str) -> Callable[[], RegionDisk]:
    return lambda: world.disks[region]


def _reading(mesh: MeshOfStores) -> Callable[[str], dict[str, int]]:
    """`me` shows its client's profile, out of its region's store."""

    def applied(endpoint: str) -> dict[str, int]:
        service, region, _ = endpoint.split("/")
        store = mesh.nodes[region].store
        return store.applied("profiles") if service == "me" and "profiles" in store.streams() else {}

    return applied


def _servers(shape: Shape) -> Backends:
    backends = Backends()
    for service in config(shape, REGIONS[0]).services:
        for endpoint in service.endpoints:
            name = f"{service.id}/{endpoint.region}/{endpoint.address}"
            backends.servers[name] = Server(name, endpoint.region)
    return backends


async def _live(world: World) -> Report:
    from tests.simulation.regions.checks import violations  # noqa: PLC0415 - checks look at worlds
    from tests.simulation.regions.clients import Client  # noqa: PLC0415 - clients ask in worlds
    from tests.simulation.regions.settling import settle  # noqa: PLC0415 - it heals worlds
    from tests.simulation.regions.storm import storm  # noqa: PLC0415 - it storms over worlds

    loop = asyncio.get_running_loop()
    assert isinstance(loop, LivesLoop)
    for region in REGIONS:
        world.around.lives[region] = Life(region)
    for region in REGIONS:
        world.begin(region)
    rng = random.Random(f"{world.seed} clients")
    clients = [Client(world, f"client{number}", rng.choice(REGIONS)) for number in range(3)]
    planted = [loop.create_task(work()) for work in (*world.background, world.books.keep)]
    await asyncio.sleep(WARM_UP_S)
    tasks = [loop.create_task(client.live()) for client in clients]
    await storm(world)
    world.is_over = True
    await asyncio.wait(tasks)
    for task in tasks:
        task.result()
    found = await settle(world)
    for task in planted:
        task.cancel()
    found += world.found + world.books.found + violations(world)
    found += [f"defect: {trouble}" for trouble in loop.troubles] + _defects(world)
    return _report(world, found, loop.time())


def _defects(world: World) -> list[str]:
    """Tasks of the product that failed: whatever a storm does, they have to bear it."""
    failed = [
        f"defect: {region} at {at:.3f}: {line.get('task')}: {line.get('error')}"
        for at, region, _, event, line in world.around.said
        if event.startswith("task failed")
    ]
    return failed[:3]


def _report(world: World, found: list[str], simulated_s: float) -> Report:
    told = world.history
    digest = hashlib.sha256(
        repr([(one.client, one.sequence, one.outcome, one.dots) for one in told.asked]).encode()
        + repr(world.faults).encode()
        + repr(world.around.attempted).encode()
        + repr(sorted(world.statuses.items())).encode()
    ).hexdigest()
    return Report(
        seed=world.seed,
        violations=tuple(dict.fromkeys(found)),
        asked=len(told.asked),
        acknowledged=len(told.acknowledged()),
        reads=len(told.seen),
        faults=tuple(world.faults),
        simulated_s=simulated_s,
        schedule=digest[:16],
        requests=sum(world.statuses.values()),
    )
