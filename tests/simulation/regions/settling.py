"""Does everything come together again, once nothing is wrong any more, and how soon? (C9)

All heals; then, within a bound: stores converge, all servers are up in all eyes, one leads and all know who, the role
is the same everywhere, nothing is drained, the acceptors are whole; a primary's write is taken through every region,
and every server that recovered is chosen again through every gateway that may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from tests.simulation.regions.clients import Client
from tests.simulation.regions.configured import BOUND, PREFERENCE, REGIONS, peer_of
from tidegate.node import orders

if TYPE_CHECKING:
    from tests.simulation.regions.node import Node
    from tests.simulation.regions.world import World

WITHIN_S = 60.0
"""Back-off, leases, votes that run out, endpoints that flapped (four times as many probes), clocks that were ahead."""
TAKEN_WITHIN_S = 20.0
CHOSEN_WITHIN_S = 30.0
STREAMS = ("notes", "profiles", "ledger")
MAY_REPAIR = ("sector_lost", "restored", "replaced")


async def settle(world: World) -> list[str]:
    await _heal(world)
    found = await _await_calm(world)
    if found:
        return found
    found += await _await_writes(world)
    found += await _await_choices(world)
    world.history.may_repair = any(name in fault for fault in world.faults for name in MAY_REPAIR)
    if any(event.startswith("a snapshot is taken") for node in world.mesh.nodes.values() for _, event, _ in node.said):
        world.history.excused |= world.lost_dots
    return found


async def _heal(world: World) -> None:
    network, now = world.mesh.network, asyncio.get_running_loop().time()
    network.heal()
    network.loss = network.damage = world.around.wire.twice = 0.0
    world.around.wire.deaf.clear()
    network.delay_s = (0.001, 0.002)
    for server in world.around.backends.servers.values():
        server.mood = "well"
    for region in REGIONS:
        world.clocks[region].offset_s = 0.0
        world.disks[region].data.is_full = False
        world.disks[region].data.sync_s = 0.0
        life = world.around.lives[region]
        life.stands_until = min(life.stands_until, now)
        if life.is_over:
            await world.restart(region)
        node = world.nodes[region]
        node.shape = world.around.shape
        node.life.spawn(node.control.reload("the same for all"), name="reload")


async def _await_calm(world: World) -> list[str]:
    loop = asyncio.get_running_loop()
    until = loop.time() + WITHIN_S
    while unrest := next(_unrest(world), None):
        if loop.time() > until:
            return [f"progress: not within {WITHIN_S:g} s: {one}" for one in dict.fromkeys(_unrest(world))]
        await _undrain(world)
        await asyncio.sleep(0.25)
    return [] if unrest is None else [unrest]


async def _undrain(world: World) -> None:
    """Whoever leads, or else anybody, takes all orders back."""
    for region in REGIONS:
        node = world.nodes[region]
        for (scope, target), order in list(node.control.operations.drains.orders().items()):
            if order.action == "drain":
                work = node.life.spawn(
                    orders.undrain(node.control, target, over_s=0.0, reason="over", scope=scope, author="ops"),
                    name="undrain",
                )
                await asyncio.wait({work}, timeout=5.0)
                if work.done():
                    work.exception()  # refused without a majority: again at the next look
                return


def _unrest(world: World) -> Iterator[str]:
    """What is not yet as it should be."""
    mesh, nodes = world.mesh, [world.nodes[region] for region in REGIONS]
    for stream in STREAMS:
        if not mesh.has_converged(stream):
            yield f"{stream} has not converged"
    held = sum(len(stream.held) for node in mesh.nodes.values() for stream in node.disk.streams.values())
    if held:
        yield f"{held} operations are held"
    for node in nodes:
        yield from _unrest_at(node)
    yield from _disagreements(nodes)


def _unrest_at(node: Node) -> Iterator[str]:
    control = node.control
    down = [name for name, one in control.prober.endpoints().items() if one.health != "up"]
    if down:
        yield f"{node.region} does not see that {down[0]} is up"
    if control.operations.drains.orders():
        yield f"{node.region} has orders: {[str(target) for _, target in control.operations.drains.orders()]}"
    if control.state.frozen() is not None:
        yield f"the state of {node.region} is frozen: {control.state.frozen()}"
    if any(one.is_down for one in control.failing_over.ballots().values()):
        yield f"by the votes that {node.region} knows, a region is down"
    if node.plane.config_digest != control.configuration.loaded.digest:
        yield f"the data plane of {node.region} routes by another configuration than its control has"


def _disagreements(nodes: Sequence[Node]) -> Iterator[str]:
    leaders = {node.control.leadership.leader for node in nodes}
    leading = [node.region for node in nodes if node.control.leadership.epoch is not None]
    if len(leading) != 1 or leaders != {f"gw-{leading[0]}"}:
        yield f"{leading} lead; they name {sorted(map(str, leaders))}"
    roles = {node.control.failing_over.primary() for node in nodes}
    if len(roles) != 1:
        yield f"the role is with {sorted(roles)}"
    members = [node.quorum.view for node in nodes]
    if any(view is None or set(view.members) != {peer_of(name) for name in REGIONS} for view in members):
        yield f"the acceptors are {members}"
    if len({node.control.configuration.loaded.shared_digest for node in nodes}) > 1:
        yield "the configurations differ"


async def _await_writes(world: World) -> list[str]:
    """Everybody takes a primary's write, by itself or carried."""
    found = []
    for region in REGIONS:
        client = Client(world, f"writer in {region}", region)
        if not await _within(TAKEN_WITHIN_S, partial(_takes, world, client, region)):
            told = {name: world.nodes[name].control.write_leases.shown() for name in REGIONS}
            found.append(f"progress: {region} takes no write of a primary's within {TAKEN_WITHIN_S:g} s: {told}")
    return found


async def _takes(world: World, client: Client, region: str) -> bool:
    before = len(world.history.acknowledged())
    await client.write_in(region, "ledger", "last")
    return len(world.history.acknowledged()) > before


async def _await_choices(world: World) -> list[str]:
    """Each server is chosen again, through each gateway that may."""
    found = []
    for region in REGIONS:
        client = Client(world, f"visitor of {region}", region)
        seen: set[str] = set()

        async def ask(client: Client = client, region: str = region, seen: set[str] = seen) -> bool:
            for name in sorted(_to_choose(world, region) - seen):
                service, where, _ = name.split("/")
                answered = await client.ask(client.home, "GET", f"/{service}/x", f"{PREFERENCE}: {where}\r\n")
                if answered is not None and answered.status == 200:
                    seen.add(answered.endpoint)
            return _to_choose(world, region) <= seen

        if not await _within(CHOSEN_WITHIN_S, ask):
            missed = sorted(_to_choose(world, region) - seen)
            found.append(f"progress: {region} did not choose {missed} within {CHOSEN_WITHIN_S:g} s")
    return found


def _to_choose(world: World, gateway: str) -> set[str]:
    """As things are now: a failback may still be on its way, and then a region for disasters rests again."""
    return {name for name in world.around.backends.servers if _may_be_chosen(world, gateway, name)}


def _may_be_chosen(world: World, gateway: str, server: str) -> bool:
    service, region, _ = server.split("/")
    if service == "me" and not {gateway, region} <= set(BOUND):
        return False
    return world.nodes[gateway].control.failing_over.standby(region) is None


async def _within(seconds: float, is_done: Callable[[], Awaitable[bool]]) -> bool:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        if await is_done():
            return True
        await asyncio.sleep(0.2)
    return False
