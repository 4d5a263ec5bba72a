"""What can happen to a region's store, its disk, its clock and its wires? One fault after the other.

Each has chance of its own, so that leaving one out changes no other, and heals itself in the end.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tests.harness.mesh_of_stores import Node
from tests.simulation.excuses import excuse, has

if TYPE_CHECKING:
    from tests.simulation.world import World

STORM_S = 20.0

Fault = Callable[["World", Node, random.Random], Awaitable[None]]


async def storm(world: World) -> None:
    """One fault after the other. Each has chance of its own, so that leaving one out changes no other."""
    loop = asyncio.get_running_loop()
    until = loop.time() + STORM_S
    number = 0
    while loop.time() < until:
        number += 1
        rng = random.Random(f"{world.seed} fault {number}")
        await asyncio.sleep(rng.uniform(0.2, 3.0))
        fault = rng.choice(world.repertoire)
        node = world.mesh.nodes[rng.choice(list(world.mesh.nodes))]
        if str(number) not in world.left_out:
            world.faults.append(f"{number} {fault.__name__.strip('_')} {node.region} at {loop.time():.3f}")
            await fault(world, node, rng)


async def partition(world: World, node: Node, rng: random.Random) -> None:
    others = [region for region in world.mesh.nodes if region != node.region]
    for other in rng.sample(others, rng.randint(1, len(others))):
        world.mesh.network.cut(node.region, other)
    await asyncio.sleep(rng.uniform(0.5, 6))
    world.mesh.network.heal()


async def _one_way(world: World, node: Node, rng: random.Random) -> None:
    for other in world.mesh.nodes:
        if other != node.region and rng.random() < 0.7:
            world.mesh.network.cut(node.region, other, both=False)
    await asyncio.sleep(rng.uniform(0.5, 6))
    world.mesh.network.heal()


async def _lossy(world: World, node: Node, rng: random.Random) -> None:
    world.mesh.network.loss = rng.uniform(0.05, 0.4)
    await asyncio.sleep(rng.uniform(1, 6))
    world.mesh.network.loss = 0.0


async def _slow(world: World, node: Node, rng: random.Random) -> None:
    world.mesh.network.delay_s = (0.05, rng.uniform(0.1, 1.5))
    await asyncio.sleep(rng.uniform(1, 6))
    world.mesh.network.delay_s = (0.001, 0.002)


async def _damaging(world: World, node: Node, rng: random.Random) -> None:
    world.mesh.network.damage = rng.uniform(0.05, 0.5)
    await asyncio.sleep(rng.uniform(1, 4))
    world.mesh.network.damage = 0.0


async def skewed(world: World, node: Node, rng: random.Random) -> None:
    node.offset_s = rng.uniform(-5, 5)


async def _crash(world: World, node: Node, rng: random.Random) -> None:
    await world.mesh.crash(node.region)
    await asyncio.sleep(rng.uniform(0.1, 3))
    await world.mesh.restart(node.region)


async def _power_loss(world: World, node: Node, rng: random.Random) -> None:
    await world.mesh.crash(node.region, power_loss=True)
    await asyncio.sleep(rng.uniform(0.1, 3))
    await world.mesh.restart(node.region)


async def _disk_full(world: World, node: Node, rng: random.Random) -> None:
    node.disk.is_full = True
    await asyncio.sleep(rng.uniform(0.5, 4))
    node.disk.is_full = False


async def _slow_disk(world: World, node: Node, rng: random.Random) -> None:
    node.disk.sync_s = rng.uniform(0.01, 0.3)
    await asyncio.sleep(rng.uniform(0.5, 4))
    node.disk.sync_s = 0.0


async def restored(world: World, node: Node, rng: random.Random) -> None:
    """A backup, some time, and then the disk is lost and the backup is all there is."""
    backup = node.disk.image()
    await asyncio.sleep(rng.uniform(0.5, 4))
    await world.mesh.crash(node.region)
    excuse(world, node, backup)
    await asyncio.sleep(rng.uniform(0.1, 1))
    if rng.random() < 0.5:  # clients find it before its peers do
        for other in world.mesh.nodes:
            world.mesh.network.cut(node.region, other)
    await world.mesh.restart(node.region, disk=backup, renew=world.renews_after_restore)
    await asyncio.sleep(rng.uniform(0.5, 4))
    world.mesh.network.heal()


async def restored_late(world: World, node: Node, rng: random.Random) -> None:
    """The backup is older than what the others still remember of deletes."""
    backup = node.disk.image()
    await asyncio.sleep(rng.uniform(5, 10))
    await world.mesh.crash(node.region)
    excuse(world, node, backup)
    await world.mesh.restart(node.region, disk=backup, renew=world.renews_after_restore)


async def away(world: World, node: Node, rng: random.Random) -> None:
    """So long that it may be evicted, while its clients write on; then it is back."""
    for other in world.mesh.nodes:
        if other != node.region:
            world.mesh.network.cut(node.region, other)
    await asyncio.sleep(rng.uniform(5, 12))
    world.mesh.network.heal()


async def replaced(world: World, node: Node, rng: random.Random) -> None:
    """The machine burns down; another one, with nothing on its disk, takes its place: one member goes, one joins."""
    await world.mesh.crash(node.region)
    empty = world.mesh.make_disk()
    excuse(world, node, empty)
    await asyncio.sleep(rng.uniform(0.1, 8))
    node.name = f"store{node.lives + 1}"
    await world.mesh.restart(node.region, disk=empty, renew=False)


async def sector_lost(world: World, node: Node, rng: random.Random) -> None:
    """The disk loses what it knew of some keys, and does not say so."""
    for name, stream in node.disk.streams.items():
        for key in sorted(stream.states):
            if rng.random() < 0.4:
                world.lost_sectors.add((node.region, name, key))
                lost = {dot for version in stream.states[key].versions for dot in version.dots}
                elsewhere = [each.disk for each in world.mesh.nodes.values() if each is not node]
                only_here = {dot for dot in lost if not any(has(disk, name, dot) for disk in elsewhere)}
                world.history.excused |= only_here
                world.lost_dots |= lost
                del stream.states[key]


FAULTS: tuple[Fault, ...] = (
    partition,
    _one_way,
    _lossy,
    _slow,
    _damaging,
    skewed,
    _crash,
    _power_loss,
    _disk_full,
    _slow_disk,
    restored,
    restored_late,
    away,
    replaced,
    sector_lost,
)
