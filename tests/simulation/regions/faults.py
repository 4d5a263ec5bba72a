"""What can happen to a region? Its wires, its clocks, its process, its disk, its servers, and people's orders.

Each fault heals itself in the end, as far as it can; what is left heals when the storm is over (settling.py).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import msgspec

from health.core.acceptor import Meta
from health.core.drain import Target
from health.core.membership import view_of
from tests.harness.lives import Life
from tests.simulation.excuses import excuse, has
from tests.simulation.regions.backends import Mood
from tests.simulation.regions.configured import REGIONS, peer_of
from tests.simulation.regions.disk import RegionDisk
from tidegate.node import orders
from tidegate.node.orders import DrainAsked, OrderRefused

if TYPE_CHECKING:
    from tests.simulation.regions.world import Fault, World

# Wires


async def partition(world: World, region: str, rng: random.Random) -> None:
    """From all others."""
    await partition_for(world, region, rng.uniform(0.5, 12))


async def partition_for(world: World, region: str, seconds: float) -> None:
    network = world.mesh.network
    for other in REGIONS:
        if other != region:
            network.cut(region, other)
    await asyncio.sleep(seconds)
    network.heal()


async def one_way(world: World, region: str, rng: random.Random) -> None:
    """It hears the others, and is not heard; or the other way round."""
    network, is_deaf = world.mesh.network, rng.random() < 0.5
    for other in REGIONS:
        if other != region:
            network.cut(*((other, region) if is_deaf else (region, other)), both=False)
    await asyncio.sleep(rng.uniform(0.5, 10))
    network.heal()


async def partial(world: World, region: str, rng: random.Random) -> None:
    """Two do not hear each other; both hear the third."""
    other = rng.choice([each for each in REGIONS if each != region])
    world.mesh.network.cut(region, other)
    await asyncio.sleep(rng.uniform(0.5, 12))
    world.mesh.network.heal()


async def lossy(world: World, region: str, rng: random.Random) -> None:
    world.mesh.network.loss = rng.uniform(0.05, 0.3)
    await asyncio.sleep(rng.uniform(1, 6))
    world.mesh.network.loss = 0.0


async def jittery(world: World, region: str, rng: random.Random) -> None:
    """Slow, each message differently: they overtake each other."""
    world.mesh.network.delay_s = (0.001, rng.uniform(0.1, 0.9))
    await asyncio.sleep(rng.uniform(1, 6))
    world.mesh.network.delay_s = (0.001, 0.002)


async def duplicated(world: World, region: str, rng: random.Random) -> None:
    world.around.wire.twice = rng.uniform(0.1, 0.6)
    await asyncio.sleep(rng.uniform(1, 6))
    world.around.wire.twice = 0.0


async def damaged(world: World, region: str, rng: random.Random) -> None:
    world.mesh.network.damage = rng.uniform(0.05, 0.4)
    await asyncio.sleep(rng.uniform(1, 4))
    world.mesh.network.damage = 0.0


# Clocks


async def clock_set(world: World, region: str, rng: random.Random) -> None:
    others = [clock.offset_s for name, clock in world.clocks.items() if name != region]
    far = [3600.0, -3600.0] if all(abs(offset_s) < 0.4 for offset_s in others) else []
    world.clocks[region].offset_s = rng.choice([rng.uniform(-0.4, 0.4), *far])


async def clock_drifts(world: World, region: str, rng: random.Random) -> None:
    """Within what a lease bears."""
    clock = world.clocks[region]
    at = asyncio.get_running_loop().time()
    rate = 1 + rng.uniform(-0.009, 0.009)
    clock.base_s += (clock.rate - rate) * at
    clock.rate = rate


# Processes


async def paused(world: World, region: str, rng: random.Random) -> None:
    """SIGSTOP, or a machine that sleeps."""
    if world.is_up(region):
        seconds = rng.choice([rng.uniform(0.2, 2), rng.uniform(2, 9)])
        world.around.lives[region].pause(seconds)
        await asyncio.sleep(seconds)


async def killed(world: World, region: str, rng: random.Random) -> None:
    await _down(world, region, rng.uniform(0.1, 4))


async def power_lost(world: World, region: str, rng: random.Random) -> None:
    await _down(world, region, rng.uniform(0.1, 4), power_loss=True)


async def region_lost(world: World, region: str, rng: random.Random) -> None:
    """All of it, for so long that another takes its role over."""
    _mood(world, region, "refuses")
    await _down(world, region, rng.uniform(8, 14))
    _mood(world, region, "well")


async def _down(world: World, region: str, seconds: float, *, power_loss: bool = False) -> None:
    if world.is_up(region):
        world.crash(region, power_loss=power_loss)
        await asyncio.sleep(seconds)
        await world.restart(region)


# Disks


async def disk_full(world: World, region: str, rng: random.Random) -> None:
    disk = world.disks[region].data
    disk.is_full = True
    await asyncio.sleep(rng.uniform(0.5, 5))
    disk.is_full = False


async def slow_disk(world: World, region: str, rng: random.Random) -> None:
    disk = world.disks[region].data
    disk.sync_s = rng.uniform(0.01, 0.4)
    await asyncio.sleep(rng.uniform(0.5, 5))
    disk.sync_s = 0.0


async def sector_lost(world: World, region: str, rng: random.Random) -> None:
    """The data's disk loses what it knew of some keys, and does not say so."""
    held = world.mesh.nodes[region]
    others = [each for each in world.mesh.nodes.values() if each is not held]
    for name, stream in held.disk.streams.items():
        for key in sorted(stream.states):
            if rng.random() < 0.3:
                world.lost_sectors.add((region, name, key))
                lost = {dot for version in stream.states[key].versions for dot in version.dots}
                whole = [each for each in others if (each.region, name, key) not in world.lost_sectors]
                world.history.excused |= {dot for dot in lost if not any(has(one.disk, name, dot) for one in whole)}
                world.lost_dots |= lost
                del stream.states[key]


async def nothing_replicates(world: World, region: str, rng: random.Random) -> None:
    """All that is said lives on, and no data comes through: to anybody, or to one region."""
    network, wire = world.mesh.network, world.around.wire
    if rng.random() < 0.5:
        wire.deaf.add(region)
    else:
        network.damage = 1.0
    await asyncio.sleep(rng.uniform(2, 14))
    wire.deaf.discard(region)
    network.damage = 0.0


async def acceptor_damaged(world: World, region: str, rng: random.Random) -> None:
    """A sector of its memory is read as something else: it begins anew, and is re-admitted by the others."""
    if _others_are_well(world, region):
        world.disks[region].damage_cells()


async def restored(world: World, region: str, rng: random.Random) -> None:
    """A backup, some time, and then the machine's disk is lost and the backup is all there is."""
    backup = world.disks[region].image()
    await asyncio.sleep(rng.uniform(0.5, 5))
    if world.is_up(region) and _others_are_well(world, region):
        await _comes_back_with(world, region, backup, rng)


async def replaced(world: World, region: str, rng: random.Random) -> None:
    """The machine burns down; another one, with nothing on its disk, takes its place: one member goes, one joins."""
    if world.is_up(region) and _others_are_well(world, region):
        world.mesh.nodes[region].name = f"store{world.mesh.nodes[region].lives + 1}"
        await _comes_back_with(world, region, RegionDisk(world.mesh.make_disk()), rng)


async def _comes_back_with(world: World, region: str, disk: RegionDisk, rng: random.Random) -> None:
    world.crash(region)
    excuse(world, world.mesh.nodes[region], disk.data)
    is_new = not disk.data.streams
    disk.data.is_full, disk.data.sync_s = False, 0.0
    before, world.disks[region] = world.disks[region], disk  # nobody asks the old one any more
    await asyncio.sleep(rng.uniform(0.1, 6))
    before.data.is_full = False
    await world.restart(region, disk=disk, renew=not is_new)


def _others_are_well(world: World, region: str) -> bool:
    """One at a time: whoever destroys a majority's memory has destroyed what only they knew. Of one that is down nobody
    can say: its disk may be an older one that it has yet to find out about."""
    metas = {name: meta for name, disk in world.disks.items() if (meta := _meta(disk)) is not None}
    view = view_of(metas)
    return view is not None and all(
        name in metas
        and world.is_up(name)
        and metas[name].generation == view.generation >= metas[name].sealed
        and view.members.get(peer_of(name)) == metas[name].incarnation
        for name in REGIONS
    )


def _meta(disk: RegionDisk) -> Meta | None:
    try:
        return msgspec.json.decode(disk.meta or b"", type=Meta)
    except msgspec.DecodeError:
        return None


# Servers


async def server_fails(world: World, region: str, rng: random.Random) -> None:
    """One or both of a service's servers in the region."""
    mood: Mood = rng.choice(["refuses", "hangs", "fails", "slow"])
    chosen = [one for one in world.around.backends.servers.values() if one.region == region and rng.random() < 0.4]
    for server in chosen:
        server.mood = mood
    await asyncio.sleep(rng.uniform(1, 8))
    for server in chosen:
        server.mood = "well"


def _mood(world: World, region: str, mood: Mood) -> None:
    for server in world.around.backends.servers.values():
        if server.region == region:
            server.mood = mood


# People


async def reloaded(world: World, region: str, rng: random.Random) -> None:
    """A new configuration, rolled out over the regions; or the same one again, which must change nothing learnt."""
    if rng.random() < 0.6:
        world.around.shape = world.around.shape.changed()
    for name in rng.sample(REGIONS, len(REGIONS)):
        node = world.nodes[name]
        if world.is_up(name):
            node.shape = world.around.shape
            before = (
                set(node.plane.book.loads),
                {endpoint: one.health for endpoint, one in node.control.prober.endpoints().items()},
            )
            work = node.life.spawn(node.control.reload("by the simulation"), name="reload")
            await _done(node.life, work)
            if work.done() and work.result().ok:
                after = (
                    set(node.plane.book.loads),
                    {endpoint: one.health for endpoint, one in node.control.prober.endpoints().items()},
                )
                world.found += [
                    f"reload: {name} has forgotten what it knew of {endpoint}"
                    for endpoint, health in before[1].items()
                    if health != "untested" and after[1].get(endpoint, "untested") == "untested"
                ]
                world.found += [f"reload: {name} forgot the load of {lost}" for lost in before[0] - after[0]]
        await asyncio.sleep(rng.uniform(0.0, 1.0))


async def drained(world: World, region: str, rng: random.Random) -> None:
    """Somebody drains a region, a service or an endpoint through some node, and later undrains it through another."""
    endpoint = rng.choice(sorted(world.around.backends.servers))
    target = rng.choice(
        [Target("region", region), Target("endpoint", endpoint), Target("service", endpoint.partition("/")[0])]
    )
    asked = DrainAsked(over_s=rng.choice([0.0, 1.0, 3.0]), reason="a drill", force=rng.random() < 0.5)
    node = world.nodes[rng.choice(REGIONS)]
    if world.is_up(node.region):
        await _ordered(world, node.region, orders.drain(node.control, target, asked, scope="all", author="ops"))
    await asyncio.sleep(rng.uniform(2, 8))
    node = world.nodes[rng.choice(REGIONS)]
    if world.is_up(node.region):
        over_s = rng.choice([0.0, 2.0])
        order = orders.undrain(node.control, target, over_s=over_s, reason="over", scope="all", author="ops")
        await _ordered(world, node.region, order)


async def failed_over(world: World, region: str, rng: random.Random) -> None:
    """A person moves the role to a region; by force, now and then."""
    force = rng.random() < 0.2
    for name in REGIONS:
        node = world.nodes[name]
        if world.is_up(name) and node.control.leadership.epoch is not None:
            if force:
                world.books.forced.add(region)
            order = node.control.failing_over.order(region, reason="a drill", force=force, author="ops")
            await _ordered(world, name, order)
            return


async def _ordered(world: World, region: str, order: Awaitable[object]) -> None:
    """What a person asks of a node; it may be refused, or come to nothing."""

    async def give() -> None:
        try:
            await order
        except (OrderRefused, OSError):
            return

    life = world.nodes[region].life
    await _done(life, life.spawn(give(), name="an order"))


async def _done(life: Life, work: asyncio.Task[Any]) -> None:
    """Or the process has ended, or patience has."""
    waiting: set[asyncio.Future[Any]] = {work, life.ended}
    await asyncio.wait(waiting, timeout=10.0, return_when=asyncio.FIRST_COMPLETED)


FAULTS: tuple[Fault, ...] = (
    partition,
    one_way,
    partial,
    lossy,
    jittery,
    duplicated,
    damaged,
    clock_set,
    clock_drifts,
    paused,
    killed,
    power_lost,
    region_lost,
    disk_full,
    slow_disk,
    sector_lost,
    nothing_replicates,
    acceptor_damaged,
    restored,
    replaced,
    server_fails,
    reloaded,
    drained,
    failed_over,
)
