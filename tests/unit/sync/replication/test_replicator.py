"""Regions that replicate reach the same state, tell how many hold a write, and leave nothing undone for long."""

from __future__ import annotations

import asyncio

import pytest

from sync.core.wire import FrameRefused
from sync.core.writes import Write, Written
from sync.replication.replicator import WRITE_DOWN_EVERY_S
from tests.harness import virtual_time
from tests.harness.mesh_of_stores import MeshOfStores
from tests.harness.replicas import plan

REGIONS = ("eu", "us", "ap")


def mesh_of(*regions: str) -> MeshOfStores:
    return MeshOfStores({region: {"notes": plan(regions=regions)} for region in regions})


async def put(mesh: MeshOfStores, region: str, key: str, value: bytes = b"v") -> Written:
    node = mesh.nodes[region]
    write = Write(stream="notes", key=key, kind="put", value=value, content_type="text/plain")
    (result,) = await node.store.write([write], now=mesh.wall(region))
    assert isinstance(result, Written)
    return result


def test_every_write_reaches_every_region_and_lag_goes_to_nothing() -> None:
    async def play() -> None:
        mesh = mesh_of(*REGIONS)
        await mesh.start()
        for number in range(30):
            await put(mesh, REGIONS[number % 3], f"key{number}")
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=5, what="convergence")
        assert len(mesh.states("notes")[0]) == 30
        await asyncio.sleep(2)
        for node in mesh.nodes.values():
            assert node.replicator is not None
            assert [line.lag.operations for line in node.replicator.lag()] == [0, 0]
            assert [line.lag.seconds for line in node.replicator.lag()] == [0.0, 0.0]
        mesh.stop()

    virtual_time.run(play())


def test_who_comes_up_later_is_pulled_from_as_soon_as_it_asks() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start_node("us")
        await asyncio.sleep(60)  # so that us waits as long between its attempts as it ever does
        await put(mesh, "eu", "k")
        await mesh.start_node("eu")
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=0.1, every_s=0.01, what="convergence")
        mesh.stop()

    virtual_time.run(play())


def test_a_region_cut_off_from_the_writer_gets_it_from_a_third() -> None:
    async def play() -> None:
        mesh = mesh_of(*REGIONS)
        mesh.network.cut("eu", "us")
        await mesh.start()
        await put(mesh, "eu", "k")
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=5, what="convergence past the cut")
        mesh.stop()

    virtual_time.run(play())


@pytest.mark.parametrize(
    ("cut", "wanted", "durability", "missing"),
    [
        ((), "global", "global", ()),
        (("us", "ap"), "global", "majority", ("us",)),
        (("us", "ap"), "majority", "majority", ("us",)),
        (("us", "ap", "all"), "one", "local", ("us", "ap")),
    ],
)
def test_a_write_waits_for_the_regions_that_it_asked_for_and_says_which_it_has(
    cut: tuple[str, ...], wanted: str, durability: str, missing: tuple[str, ...]
) -> None:
    async def play() -> None:
        mesh = mesh_of(*REGIONS)
        if cut:
            mesh.network.cut("us", "eu")
            mesh.network.cut("us", "ap")
        if "all" in cut:
            mesh.network.cut("ap", "eu")
        await mesh.start()
        written = await put(mesh, "eu", "k")
        replicator = mesh.nodes["eu"].replicator
        assert replicator is not None
        began = asyncio.get_running_loop().time()
        confirmed = await replicator.confirm("notes", (written.origin, written.seq), wanted, timeout_s=3.0)  # type: ignore[arg-type]
        took_s = asyncio.get_running_loop().time() - began
        assert confirmed.durability == durability
        if wanted != "majority":
            assert set(missing) == set(confirmed.missing)
        assert (took_s < 1.0) is (confirmed.durability == wanted)
        mesh.stop()

    virtual_time.run(play())


def test_lag_grows_while_a_peer_is_silent_and_the_peer_is_named() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start()
        await put(mesh, "eu", "k")
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=5, what="convergence")
        mesh.network.cut("eu", "us")
        await asyncio.sleep(60)
        replicator = mesh.nodes["us"].replicator
        assert replicator is not None
        (line,) = replicator.lag()
        assert (line.peer, line.stream) == ("eu", "notes")
        assert line.lag.seconds is not None
        assert 55 < line.lag.seconds < 65
        assert not replicator.standings()["eu"].is_reached
        assert [level for level, event, _ in mesh.nodes["us"].said if event == "no replication from a peer"] == [
            "warning"
        ]
        mesh.stop()

    virtual_time.run(play())


def test_confirmations_are_remembered_over_a_restart() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start()
        written = await put(mesh, "eu", "k")
        dot = (written.origin, written.seq)
        replicator = mesh.nodes["eu"].replicator
        assert replicator is not None
        assert (await replicator.confirm("notes", dot, "global", timeout_s=5)).durability == "global"
        await asyncio.sleep(WRITE_DOWN_EVERY_S)
        await mesh.crash("us")
        await mesh.crash("eu")
        await mesh.restart("eu")
        replicator = mesh.nodes["eu"].replicator
        assert replicator is not None
        assert (await replicator.confirm("notes", dot, "global", timeout_s=0)).durability == "global"
        mesh.stop()

    virtual_time.run(play())


def test_an_operation_from_the_future_becomes_visible_when_its_time_has_come() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        mesh.nodes["eu"].offset_s = 10.0
        await mesh.start()
        await put(mesh, "eu", "k")
        await asyncio.sleep(3)
        assert await mesh.nodes["us"].store.read("notes", "k") is None
        assert (await mesh.nodes["us"].store.stats("notes")).held == 1
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=10, what="the clock to get there")
        mesh.stop()

    virtual_time.run(play())


def test_a_disk_that_is_full_when_that_time_comes_delays_it_and_no_more() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        mesh.nodes["eu"].offset_s = 5.0
        await mesh.start()
        await put(mesh, "eu", "k")
        await asyncio.sleep(2)
        mesh.nodes["us"].disk.is_full = True
        await asyncio.sleep(10)
        assert not mesh.has_converged("notes")
        mesh.nodes["us"].disk.is_full = False
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=5, what="room on the disk")
        mesh.stop()

    virtual_time.run(play())


def test_noise_instead_of_a_question_is_refused() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start()
        replicator = mesh.nodes["eu"].replicator
        assert replicator is not None
        with pytest.raises(FrameRefused):
            await replicator.answer(b"noise", region="us")
        mesh.stop()

    virtual_time.run(play())
