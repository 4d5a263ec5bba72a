"""Logs and tombstones go once nobody needs them; who is silent too long is waited for no longer, and loses nothing."""

from __future__ import annotations

import asyncio

import pytest

from sync.replication.keeping import Keeper, StillAlive, Upkeep
from tests.harness import virtual_time
from tests.harness.mesh_of_stores import MeshOfStores
from tests.harness.replicas import plan
from tests.unit.sync.replication.test_comparing import put, repairs
from tests.unit.sync.replication.test_snapshots import delete, is_alike, live, taken


def mesh_of(*regions: str, **changes: float) -> MeshOfStores:
    upkeep = Upkeep(
        **{"anti_entropy_s": 5.0, "tick_s": 5.0, "keep_operations": 0, "evict_after_s": 1000.0, **changes}  # type: ignore[arg-type]
    )
    return MeshOfStores({region: {"notes": plan(regions=regions)} for region in regions}, upkeep=upkeep)


def keeper(mesh: MeshOfStores, region: str) -> Keeper:
    replicator = mesh.nodes[region].replicator
    assert replicator is not None
    return replicator.keeper


def logged(mesh: MeshOfStores) -> list[int]:
    return [len(node.disk.streams["notes"].log) for node in mesh.nodes.values()]


def remembered(mesh: MeshOfStores) -> list[int]:
    return [len(node.disk.streams["notes"].states) for node in mesh.nodes.values()]


async def churn(mesh: MeshOfStores, region: str, turns: int) -> None:
    """A key that is written and deleted again and again, and one that stays."""
    for turn in range(turns):
        await put(mesh, region, "stays" if turn == 0 else f"k{turn % 3}", b"%d" % turn)
        if turn % 3 == 2:
            for key in ("k1", "k2"):
                await delete(mesh, region, key)
        await asyncio.sleep(0.2)


def test_churn_leaves_what_keys_hold_and_nothing_else_in_every_store() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us", "ap")
        await mesh.start()
        await churn(mesh, "eu", 60)
        await mesh.until(lambda: remembered(mesh) == [2, 2, 2], within_s=60, what="tombstones are forgotten")
        await delete(mesh, "us", "k0")
        await mesh.until(lambda: logged(mesh) == [1, 1, 1], within_s=60, what="logs are pruned")
        assert repairs(mesh) == [0, 0, 0]
        assert [taken(mesh, region) for region in mesh.nodes] == [0, 0, 0]
        mesh.stop()

    virtual_time.run(play())


def test_a_region_that_is_away_holds_it_back_until_it_is_evicted_and_loses_nothing() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us", "ap", evict_after_s=120.0)
        await mesh.start()
        await put(mesh, "ap", "old")
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=5, what="convergence")
        for other in ("eu", "us"):
            mesh.network.cut("ap", other)
        await put(mesh, "ap", "own")
        await delete(mesh, "eu", "old")
        await churn(mesh, "eu", 60)
        await delete(mesh, "eu", "k0")
        await asyncio.sleep(60)
        assert min(logged(mesh)[:2]) > 60
        await mesh.until(lambda: logged(mesh)[:2] == [1, 1], within_s=120, what="logs are pruned without it")
        reasons = [facts["reason"] for _, event, facts in mesh.nodes["eu"].said if "evicted" in event]
        assert reasons == ["silent"]
        (gone,) = [line for line in await keeper(mesh, "eu").members() if line.evicted is not None]
        assert (gone.member, gone.stream) == ("ap:store1", "notes")
        mesh.network.heal()
        await mesh.until(lambda: taken(mesh, "ap") == 1 and is_alike(mesh), within_s=60, what="it is back")
        assert "own" in live(mesh, "eu")
        assert "old" not in live(mesh, "ap")
        await asyncio.sleep(60)
        assert [line for line in await keeper(mesh, "eu").members() if line.evicted is not None] == []
        assert is_alike(mesh)
        mesh.stop()

    virtual_time.run(play())


def test_silence_and_eviction_are_remembered_over_restarts() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us", evict_after_s=1300.0)
        await mesh.start()
        await put(mesh, "eu", "a")
        await asyncio.sleep(700)
        await mesh.crash("us")
        for _ in range(13):
            await asyncio.sleep(100)
            await mesh.crash("eu")
            await mesh.restart("eu")
        await mesh.until(
            lambda: any("evicted" in event for _, event, _ in mesh.nodes["eu"].said), within_s=700, what="eviction"
        )
        await mesh.crash("eu")
        await mesh.restart("eu")
        lines = await keeper(mesh, "eu").members()
        assert [(line.member, line.evicted is not None) for line in lines] == [("us:store1", True)]
        await put(mesh, "eu", "a", b"2")
        await delete(mesh, "eu", "a")
        await mesh.until(lambda: logged(mesh)[0] == 0, within_s=60, what="pruned without it")
        mesh.stop()

    virtual_time.run(play())


def test_a_region_that_was_never_heard_holds_it_back_too_and_can_be_evicted() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start_node("eu")
        await put(mesh, "eu", "a")
        await delete(mesh, "eu", "a")
        await asyncio.sleep(30)
        assert logged(mesh)[0] == 2
        assert await keeper(mesh, "eu").evict("us", because="never built") == [("notes", "us")]
        await mesh.until(lambda: logged(mesh)[0] == 0, within_s=20, what="pruned")
        mesh.stop()

    virtual_time.run(play())


def test_an_operator_cannot_evict_who_is_alive() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start()
        await put(mesh, "eu", "a")
        await asyncio.sleep(3)
        with pytest.raises(StillAlive, match=r"us:store1 was heard \d s ago, expected 60 s of silence"):
            await keeper(mesh, "eu").evict("us", because="a mistake")
        await mesh.crash("us")
        await asyncio.sleep(61)
        assert keeper(mesh, "eu").awaited("us") == [("notes", "us:store1")]
        assert not keeper(mesh, "eu").is_evicted("us")
        assert await keeper(mesh, "eu").evict("us:store1", because="burnt down") == [("notes", "us:store1")]
        assert await keeper(mesh, "eu").evict("us:store1", because="burnt down") == []
        assert [keeper(mesh, "eu").is_evicted(name) for name in ("us", "us:store1", "ap")] == [True, True, False]
        mesh.stop()

    virtual_time.run(play())


def test_more_log_than_max_log_evicts_who_does_not_answer_and_only_warns_of_who_does() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us", max_log=2000.0, evict_after_s=1e6)
        await mesh.start()
        await put(mesh, "eu", "a")
        await asyncio.sleep(3)
        mesh.network.cut("us", "eu")
        for number in range(30):
            await put(mesh, "eu", f"k{number}", b"x" * 100)
        await asyncio.sleep(30)
        said = [event for _, event, _ in mesh.nodes["eu"].said]
        assert "more log than max_log waits for a member" in said
        assert not any("evicted" in event for event in said)
        await asyncio.sleep(60)
        assert [facts["reason"] for _, event, facts in mesh.nodes["eu"].said if "evicted" in event] == ["log_too_large"]
        mesh.stop()

    virtual_time.run(play())
