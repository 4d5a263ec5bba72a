"""Bugs of gateways, health, election and failover, planted one at a time: proof that the checks see them.

Each changes the world of one run, on the test's side, in the one way that its name says; some ask for the misfortunes
that it takes. `tests/simulation/test_regions.py` runs each until it is found.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

from gateway.core import decision, sticky
from gateway.core.gate import Endpoint
from gateway.core.retries import RetryPolicy
from health.core import failover
from health.core.book import Book
from health.core.lease import Lease
from health.core.verdict import EndpointLedger
from health.prober import Prober
from sync.api.primary import PrimaryGate
from sync.core.primacy import Here, Primacy
from tests.simulation.regions.configured import BOUND, REGIONS
from tests.simulation.regions.faults import (
    drained,
    jittery,
    nothing_replicates,
    one_way,
    partition,
    partition_for,
    paused,
    region_lost,
    reloaded,
    server_fails,
)
from tests.simulation.regions.gateway import Exchange
from tests.simulation.regions.world import Mutation, World
from tidegate.node import taking_over


def any_region_when_none_is_left() -> Mutation:
    """Rather a server where the data may not be than no answer."""

    def mutate(world: World) -> None:
        async def bound_servers_fail(world: World, region: str, rng: random.Random) -> None:
            bound = [one for one in world.around.backends.servers.values() if one.region in BOUND]
            for server in bound:
                server.mood = "refuses"
            await asyncio.sleep(4.0)
            for server in bound:
                server.mood = "well"

        world.repertoire = (bound_servers_fail,)
        real = Exchange._next

        def chosen(self: Exchange) -> Endpoint | None:
            found = real(self)
            if found is None:
                pools = self._snapshot.pools[self._forward.service.id].values()
                found = next((one for pool in pools for tier in pool.tiers for one in tier.endpoints), None)
            return found

        world.replace(Exchange, "_next", chosen)

    return mutate


def everything_is_tried_again() -> Mutation:
    """A request that may not be repeated is, when its answer does not come."""

    def mutate(world: World) -> None:
        world.repertoire = (server_fails,)

        def allows(self: RetryPolicy, error: Any, *, method: str, retries_done: int) -> bool:
            return retries_done < self.max_retries

        world.replace(RetryPolicy, "allows_error", allows)

    return mutate


def sessions_outlive_drains() -> Mutation:
    """Whoever has a session keeps its server, drained or not."""

    def mutate(world: World) -> None:
        world.repertoire = (drained,)
        world.replace(sticky, "may_take", lambda pool, endpoint, book, now: None)

    return mutate


def down_is_for_ever() -> Mutation:
    """A server that came back is never believed to be up."""

    def mutate(world: World) -> None:
        world.repertoire = (server_fails,)
        world.replace(EndpointLedger, "needed", lambda self, *, steady: 10**9)

    return mutate


def contenders_do_not_wait() -> Mutation:
    """A lease that was not renewed for half of its time is taken for over."""

    def mutate(world: World) -> None:
        world.repertoire = (partition, one_way, paused)
        real = Lease._wait_s
        world.replace(Lease, "_wait_s", lambda self, value: real(self, value) / 4)

    return mutate


def a_lease_is_looked_at_once() -> Mutation:
    """A write that was begun under the lease is acknowledged, however long it took."""

    def mutate(world: World) -> None:
        async def stands_still(world: World, region: str, rng: random.Random) -> None:
            """In the middle of its writes, and so long that another region follows."""
            holder = world.nodes["eu"].control.failing_over.primary()
            world.disks[holder].data.sync_s = 0.3
            await asyncio.sleep(1.5)
            for server in world.around.backends.servers.values():
                if server.region == holder:
                    server.mood = "refuses"
            world.around.lives[holder].pause(14.0)
            await asyncio.sleep(14.0)
            world.disks[holder].data.sync_s = 0.0

        world.repertoire = (stands_still,)
        world.replace(PrimaryGate, "check", lambda self, plan, here: None)

    return mutate


def a_new_primary_does_not_look_around() -> Mutation:
    """Whoever gets the lease takes writes at once, with what it happens to have."""

    def mutate(world: World) -> None:
        async def handed_to_the_deaf(world: World, region: str, rng: random.Random) -> None:
            """The role goes, by a person's force, to a region whose store hears nobody for a while."""
            target = next(name for name in REGIONS if name != world.nodes["eu"].control.failing_over.primary())
            world.around.wire.deaf.add(target)
            await asyncio.sleep(3.0)
            for name in REGIONS:
                node = world.nodes[name]
                if node.control.leadership.epoch is not None:
                    order = node.control.failing_over.order(target, reason="a drill", force=True, author="ops")
                    node.life.spawn(order, name="an order")
            await asyncio.sleep(6.0)
            world.around.wire.deaf.clear()

        world.repertoire = (handed_to_the_deaf,)

        async def at_once(plan: Any, region: str, barrier: Any) -> bool:
            return True

        world.replace(taking_over, "_has_caught_up", at_once)

    return mutate


def promoted_whatever_it_lacks() -> Mutation:
    """The objective is not looked at: a region follows that lacks what was written long before the other died."""

    def mutate(world: World) -> None:
        async def stuck_and_lost(world: World, region: str, rng: random.Random) -> None:
            world.mesh.network.damage = 1.0
            await asyncio.sleep(12.0)
            await region_lost(world, "eu", rng)
            world.mesh.network.damage = 0.0

        world.repertoire = (stuck_and_lost,)
        world.replace(failover, "_loss", lambda config, facts, region: ([], "nothing"))
        world.replace(Primacy, "lacks_successor", lambda self, *asked, now: None)

    return mutate


def a_reload_begins_anew() -> Mutation:
    """With a new configuration, what was learnt of servers is forgotten."""

    def mutate(world: World) -> None:
        world.repertoire = (reloaded,)
        real = Prober.reconcile

        def reconcile(self: Prober, targets: Any) -> None:
            self._book = Book()
            self._turns.clear()
            real(self, targets)

        world.replace(Prober, "reconcile", reconcile)

    return mutate


def sessions_may_read_anywhere() -> Mutation:
    """A token is opened, and nothing follows from it."""

    def mutate(world: World) -> None:
        world.repertoire = (nothing_replicates, jittery, server_fails)
        world.replace(decision, "regions_behind", lambda snapshot, route, regions, tokens: {})

    return mutate


def leases_have_no_end() -> Mutation:
    """Who was told that it takes writes takes them until it is told otherwise."""

    def mutate(world: World) -> None:
        async def cut_off(world: World, region: str, rng: random.Random) -> None:
            """Whoever takes the writes, and so long that another region follows."""
            await partition_for(world, world.nodes["eu"].control.failing_over.primary(), 14.0)

        world.repertoire = (cut_off,)
        real = Primacy.standing

        def standing(self: Primacy, stream: str, configured: str, regions: Any, *, boot: float) -> Any:
            told = self.told(configured)
            if told is not None and told.epoch is not None and told.region == self._region:
                return Here(told.epoch)
            return real(self, stream, configured, regions, boot=boot)

        world.replace(Primacy, "standing", standing)
        world.replace(Primacy, "holds", lambda self, configured, epoch, *, boot: True)
        world.replace(
            Primacy, "lacks_successor", lambda self, *asked, now: None
        )  # which would stop it for another reason

    return mutate


PLANTED: Mapping[str, Callable[[], Mutation]] = {
    bug.__name__: bug
    for bug in (
        any_region_when_none_is_left,
        everything_is_tried_again,
        sessions_outlive_drains,
        down_is_for_ever,
        contenders_do_not_wait,
        a_lease_is_looked_at_once,
        a_new_primary_does_not_look_around,
        promoted_whatever_it_lacks,
        a_reload_begins_anew,
        sessions_may_read_anywhere,
        leases_have_no_end,
    )
}
