"""A read that must see what others had when it began."""

from __future__ import annotations

from sync.core.writes import Write
from sync.replication.keeping import Upkeep
from tests.harness import virtual_time
from tests.harness.mesh_of_stores import MeshOfStores
from tests.harness.replicas import plan

REGIONS = ("eu", "us", "ap")


def mesh_of() -> MeshOfStores:
    plans = {region: {"notes": plan("vector_clock", regions=REGIONS)} for region in REGIONS}
    return MeshOfStores(plans, upkeep=Upkeep(anti_entropy_s=60.0, tick_s=60.0, keep_operations=0))


async def put(mesh: MeshOfStores, region: str, key: str) -> None:
    write = Write(stream="notes", key=key, kind="put", value=b"v", content_type="text/plain")
    await mesh.nodes[region].store.write([write], now=mesh.wall(region))


def test_whatever_was_written_anywhere_before_is_here_after() -> None:
    async def play() -> None:
        mesh = mesh_of()
        await mesh.start()
        for number in range(20):
            await put(mesh, REGIONS[number % 3], f"k{number}")
            replicator = mesh.nodes["eu"].replicator
            assert replicator is not None
            passed = await replicator.pass_barrier("notes", timeout_s=5.0)
            assert (passed.is_caught_up, passed.silent, passed.regions) == (True, (), frozenset({"us", "ap"}))
            assert await mesh.nodes["eu"].store.read("notes", f"k{number}") is not None
        mesh.stop()

    virtual_time.run(play())


def test_a_peer_that_is_cut_off_is_named_and_waited_for_or_not() -> None:
    async def play() -> None:
        mesh = mesh_of()
        await mesh.start()
        mesh.network.cut("eu", "ap")
        await put(mesh, "us", "k")
        replicator = mesh.nodes["eu"].replicator
        assert replicator is not None
        strict = await replicator.pass_barrier("notes", timeout_s=2.0)
        assert (strict.is_caught_up, len(strict.silent)) == (False, 1)
        lenient = await replicator.pass_barrier("notes", timeout_s=2.0, needs_all=False)
        assert (lenient.is_caught_up, lenient.regions) == (True, frozenset({"us"}))
        assert await mesh.nodes["eu"].store.read("notes", "k") is not None
        mesh.stop()

    virtual_time.run(play())


def test_the_barrier_of_a_region_asks_nobody_elsewhere() -> None:
    async def play() -> None:
        mesh = mesh_of()
        await mesh.start()
        mesh.network.cut("eu", "ap")
        replicator = mesh.nodes["eu"].replicator
        assert replicator is not None
        passed = await replicator.pass_barrier("notes", timeout_s=2.0, own_region_only=True)
        assert (passed.is_caught_up, passed.regions) == (True, frozenset())
        mesh.stop()

    virtual_time.run(play())
