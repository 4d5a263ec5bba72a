"""Who was away for longer than the logs reach takes a snapshot, in pieces, and then has what the others have."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from sync.core.digests import KeyRange
from sync.core.op_ids import OpId
from sync.core.writes import Write, Written
from sync.replication.snapshots import NOTE, PAGE_KEYS, Place
from tests.harness import virtual_time
from tests.harness.mesh_of_stores import MeshOfStores
from tests.unit.sync.replication.test_comparing import mesh_of, put, repairs


async def delete(mesh: MeshOfStores, region: str, key: str) -> None:
    write = Write(stream="notes", key=key, kind="delete")
    (result,) = await mesh.nodes[region].store.write([write], now=mesh.wall(region))
    assert isinstance(result, Written)


async def forget_all(mesh: MeshOfStores, region: str) -> int:
    """Prune what this store alone has applied, as if nobody else were there."""
    store = mesh.nodes[region].store
    return await store.prune("notes", (await store.heads("notes")).applied, keep=0)


def taken(mesh: MeshOfStores, region: str) -> int:
    replicator = mesh.nodes[region].replicator
    assert replicator is not None
    return replicator.snapshots.taken.get("notes", 0)


def live(mesh: MeshOfStores, region: str) -> dict[str, Any]:
    states = mesh.nodes[region].disk.streams["notes"].states
    return {key: state.versions for key, state in states.items() if state.is_live}


def is_alike(mesh: MeshOfStores) -> bool:
    first, *others = [live(mesh, region) for region in mesh.nodes]
    return all(other == first for other in others)


def test_a_new_region_gets_everything_while_writes_go_on() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start_node("eu")
        for number in range(PAGE_KEYS * 3):
            await put(mesh, "eu", f"k{number:04}")
        for number in range(0, PAGE_KEYS, 5):
            await delete(mesh, "eu", f"k{number:04}")
        assert await forget_all(mesh, "eu") == PAGE_KEYS // 5 * 2
        mesh.network.delay_s = (0.05, 0.1)
        await mesh.start_node("us")
        for number in range(100):
            await put(mesh, "eu", f"k{number * 7:04}", b"new")
            await asyncio.sleep(0.1)
        await mesh.until(lambda: taken(mesh, "us") == 1 and is_alike(mesh), within_s=30, what="the snapshot")
        await asyncio.sleep(20)
        assert taken(mesh, "us") == 1
        assert repairs(mesh) == [0, 0]
        assert NOTE not in await mesh.nodes["us"].store.notes("notes")
        mesh.stop()

    virtual_time.run(play())


def test_a_region_that_was_away_loses_what_was_deleted_and_keeps_and_gives_what_it_wrote() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start()
        for key in ("a", "b", "c"):
            await put(mesh, "eu", key)
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=5, what="convergence")
        mesh.network.cut("eu", "us")
        await put(mesh, "us", "own")
        await delete(mesh, "eu", "b")
        await put(mesh, "eu", "d")
        await forget_all(mesh, "eu")
        mesh.network.heal()
        await mesh.until(
            lambda: taken(mesh, "us") == 1 and is_alike(mesh) and "own" in live(mesh, "eu"),
            within_s=60,
            what="everybody has everything",
        )
        assert sorted(live(mesh, "us")) == ["a", "c", "d", "own"]
        mesh.stop()

    virtual_time.run(play())


def test_no_snapshot_is_taken_where_another_peer_still_has_the_log() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us", "ap")
        await mesh.start()
        await put(mesh, "eu", "a")
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=5, what="convergence")
        mesh.network.cut("ap", "eu")
        mesh.network.cut("ap", "us")
        await put(mesh, "eu", "a", b"2")
        await delete(mesh, "eu", "a")
        await asyncio.sleep(3)
        await forget_all(mesh, "eu")
        mesh.network.heal()
        await mesh.until(lambda: is_alike(mesh), within_s=30, what="convergence")
        assert taken(mesh, "ap") == 0
        mesh.stop()

    virtual_time.run(play())


def test_a_snapshot_that_is_interrupted_goes_on_where_it_was() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start_node("eu")
        for number in range(PAGE_KEYS * 4):
            await put(mesh, "eu", f"k{number:04}")
        await delete(mesh, "eu", "k0000")
        await forget_all(mesh, "eu")
        store = mesh.nodes["eu"].store
        asked: list[str] = []
        real = store.page

        async def page(stream: str, within: KeyRange, *, limit: int, max_bytes: int) -> Any:
            asked.append(within.after)
            return await real(stream, within, limit=limit, max_bytes=max_bytes)

        store.page = page  # type: ignore[method-assign]
        mesh.network.delay_s = (0.2, 0.2)
        await mesh.start_node("us")
        await mesh.until(lambda: len(asked) == 3, within_s=30, what="two pages")
        kept = msgspec.msgpack.decode((await mesh.nodes["us"].store.notes("notes"))[NOTE], type=Place)
        await mesh.crash("us")
        await mesh.restart("us")
        await mesh.until(lambda: taken(mesh, "us") == 1, within_s=30, what="the snapshot")
        assert asked.count("") == 1
        assert kept.after in asked[2:]
        assert is_alike(mesh)
        mesh.stop()

    virtual_time.run(play())


def test_operations_done_before_the_snapshot_are_not_done_again_after_it() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start_node("eu")
        asked = Write(
            stream="notes", key="k", kind="put", value=b"v", op_id=OpId("desk", 7), request=b"r", content_type="a/b"
        )
        await mesh.nodes["eu"].store.write([asked], now=mesh.wall("eu"))
        await delete(mesh, "eu", "k")
        assert await forget_all(mesh, "eu") == 2
        await mesh.start_node("us")
        await mesh.until(lambda: taken(mesh, "us") == 1, within_s=30, what="the snapshot")
        (again,) = await mesh.nodes["us"].store.write([asked], now=mesh.wall("us"))
        assert isinstance(again, Written)
        assert again.is_replay
        mesh.stop()

    virtual_time.run(play())


def test_a_store_that_lost_memory_finds_out_before_it_takes_its_own_future() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start()
        await put(mesh, "us", "a")
        image = mesh.nodes["us"].disk.image()
        old = mesh.nodes["us"].store.origin("notes")
        await put(mesh, "us", "b")
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=5, what="convergence")
        await put(mesh, "eu", "c")
        await delete(mesh, "eu", "c")
        await mesh.crash("us")
        await forget_all(mesh, "eu")
        await mesh.restart("us", disk=image, renew=False)
        await mesh.until(lambda: taken(mesh, "us") == 1 and is_alike(mesh), within_s=30, what="the snapshot")
        assert mesh.nodes["us"].store.origin("notes") != old
        assert sorted(live(mesh, "us")) == ["a", "b"]
        mesh.stop()

    virtual_time.run(play())


def test_a_full_disk_makes_a_snapshot_wait_and_not_fail() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start_node("eu")
        await put(mesh, "eu", "a")
        await delete(mesh, "eu", "a")
        await put(mesh, "eu", "b")
        await forget_all(mesh, "eu")
        mesh.nodes["us"].disk.is_full = True
        await mesh.start_node("us")
        await asyncio.sleep(20)
        assert "a snapshot waits" in [event for _, event, _ in mesh.nodes["us"].said]
        mesh.nodes["us"].disk.is_full = False
        await mesh.until(lambda: taken(mesh, "us") == 1 and is_alike(mesh), within_s=30, what="the snapshot")
        mesh.stop()

    virtual_time.run(play())


def test_a_region_that_comes_new_can_list_what_has_lost_to_what_it_gets() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us", "ap", policy="last_write_wins")
        await put(mesh, "eu", "a", b"early")
        await put(mesh, "eu", "gone", b"x")
        await delete(mesh, "eu", "gone")
        await asyncio.sleep(0.1)
        await put(mesh, "us", "a", b"late")
        for region in ("eu", "us"):
            await mesh.start_node(region)
        await mesh.until(lambda: lost(mesh, "eu") == lost(mesh, "us") == ["a"], within_s=10, what="the loss")
        await forget_all(mesh, "eu")
        await forget_all(mesh, "us")
        await mesh.start_node("ap")
        await mesh.until(lambda: taken(mesh, "ap") == 1, within_s=30, what="the snapshot")
        assert lost(mesh, "ap") == ["a"]
        (record,) = await mesh.nodes["ap"].store.conflict_log("notes", after=None, limit=9)
        assert await mesh.nodes["ap"].store.value_of("notes", record.loser.dot) == b"early"
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=10, what="convergence")
        mesh.stop()

    virtual_time.run(play())


def lost(mesh: MeshOfStores, region: str) -> list[str]:
    return [key for key, _ in mesh.nodes[region].disk.streams["notes"].losses.values()]


def test_a_snapshot_that_is_only_wanted_leaves_comparing_alone() -> None:
    """The peer that refused is gone before it could be asked; the others may hold what this store holds wrong."""

    async def play() -> None:
        mesh = mesh_of("eu", "us", "ap")
        await mesh.start()
        await put(mesh, "eu", "k")
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=5, what="convergence")
        replicator = mesh.nodes["eu"].replicator
        assert replicator is not None
        mesh.network.cut("eu", "us")
        gone = next(link for link in replicator.comparer._links if link.region == "us")
        await replicator.snapshots.refused("notes", gone)
        rounds = replicator.comparer.findings["notes"].rounds if "notes" in replicator.comparer.findings else 0
        await mesh.until(
            lambda: "notes" in replicator.comparer.findings and replicator.comparer.findings["notes"].rounds > rounds,
            within_s=60,
            what="a comparison with the peer that is left",
        )
        mesh.stop()

    virtual_time.run(play())
