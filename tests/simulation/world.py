"""One simulated mesh, its clients and its misfortunes, all from one seed.

    run(seed) -> Report      the same for the same seed, to the last byte; `violations` is empty where all is well

Three to five regions, two streams (one of them forbidden to a region), clients that write, delete and read with
sessions and repeat what was not answered, elsewhere; a storm of faults; then everything heals, and what must hold is
checked. The production modules run, with carrier, clock, chance and disk replaced.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.core.dots import Dot
from sync.core.plans import CollectionPlan
from sync.core.policy import ConflictPolicy
from sync.replication.keeping import Upkeep
from sync.replication.pulling import Appetite
from tests.harness import virtual_time
from tests.harness.mesh_of_stores import MeshOfStores
from tests.harness.replicas import plan
from tests.simulation.checkers import violations
from tests.simulation.clients import Client
from tests.simulation.history import History
from tests.simulation.report import Report
from tests.simulation.settling import settle
from tests.simulation.storm import FAULTS, Fault, storm

REGIONS = ("eu", "us", "ap", "sa", "af")


@dataclass
class World:
    """What a mutation may reach into before the storm begins."""

    seed: int
    mesh: MeshOfStores
    left_out: frozenset[str]
    history: History = field(default_factory=History)
    faults: list[str] = field(default_factory=list)
    repertoire: Sequence[Fault] = ()
    """Faults that may happen; a planted bug may ask for those that it needs."""
    renews_after_restore: bool = True
    is_over: bool = False
    background: list[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=list)
    """What a planted bug does all the time."""
    replaced: list[tuple[Any, str, Any]] = field(default_factory=list)
    lost_dots: set[Dot] = field(default_factory=set)
    """What those keys held."""
    lost_sectors: set[tuple[str, str, str]] = field(default_factory=set)
    """(region, stream, key) that a disk lost and that nobody has repaired yet."""

    def replace(self, owner: Any, name: str, value: Any) -> None:
        """Plant something in the production code, for this run."""
        self.replaced.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    def restore(self) -> None:
        while self.replaced:
            setattr(*self.replaced.pop())


Mutation = Callable[[World], None]


def run(seed: int, mutate: Mutation | None = None, *, left_out: Collection[str] = ()) -> Report:
    """One run in virtual time. `left_out`: faults, by number, that do not happen this time."""
    return virtual_time.run(_play(seed, mutate, frozenset(left_out)))


async def _play(seed: int, mutate: Mutation | None, left_out: frozenset[str]) -> Report:
    rng = random.Random(seed)
    names = REGIONS[: rng.randint(3, 5)]
    policy: ConflictPolicy = rng.choice(["last_write_wins", "vector_clock"])
    mesh = MeshOfStores(
        {name: _plans(name, names, policy) for name in names},
        seed=seed,
        appetite=Appetite(max_operations=rng.choice([2, 10, 100]), max_bytes=1 << 20),
        upkeep=_upkeep(random.Random(f"{seed} upkeep")),
    )
    world = World(seed, mesh, left_out, repertoire=FAULTS)
    try:
        if mutate is not None:
            mutate(world)
        return await _live(world)
    finally:
        world.restore()


def _upkeep(rng: random.Random) -> Upkeep:
    """In a hurry: what takes minutes and days takes seconds."""
    return Upkeep(
        anti_entropy_s=rng.uniform(0.5, 3.0),
        evict_after_s=rng.choice([8.0, 1e6]),
        keep_operations=rng.choice([0, 0, 5, 1000]),
        tick_s=rng.uniform(0.5, 2.0),
    )


async def _live(world: World) -> Report:
    seed, mesh, rng = world.seed, world.mesh, random.Random(f"{world.seed} clients")
    await mesh.start()
    clients = [Client(world, f"client{number}") for number in range(rng.randint(2, 4))]
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.live()) for client in clients]
        planted = [group.create_task(work()) for work in world.background]
        await storm(world)
        world.is_over = True
        await asyncio.wait(tasks)
        found = await settle(world)
        for task in planted:
            task.cancel()
    found += violations(mesh, world.history)
    mesh.stop()
    told = world.history
    digest = hashlib.sha256(
        repr([(one.client, one.sequence, one.outcome, one.dots) for one in told.asked]).encode()
        + repr(world.faults).encode()
        + b"".join(frame for _, _, frame in mesh.network.carried)
    ).hexdigest()
    return Report(
        seed=seed,
        violations=tuple(found),
        asked=len(told.asked),
        acknowledged=len(told.acknowledged()),
        reads=len(told.seen),
        faults=tuple(world.faults),
        simulated_s=loop.time(),
        schedule=digest[:16],
    )


def _plans(region: str, names: tuple[str, ...], policy: ConflictPolicy) -> Mapping[str, CollectionPlan]:
    """`notes` may be everywhere, `profiles` not in the last region."""
    few = names[:-1]
    return {
        "notes": plan(policy, name="notes", regions=names, is_here=True),
        "profiles": plan(policy, name="profiles", regions=few, is_here=region in few, importance=1),
    }
