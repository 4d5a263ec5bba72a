"""Stores find out by themselves what they hold wrong, repair only that, and say how much it was."""

from __future__ import annotations

import asyncio

from sync.core.digests import KeyRange
from sync.core.policy import ConflictPolicy
from sync.core.writes import Write, Written
from sync.replication.comparing import FEW_KEYS
from sync.replication.keeping import Upkeep
from tests.harness import virtual_time
from tests.harness.mesh_of_stores import MeshOfStores
from tests.harness.replicas import plan

UPKEEP = Upkeep(anti_entropy_s=5.0, tick_s=5.0, keep_operations=0)


def mesh_of(*regions: str, policy: ConflictPolicy = "vector_clock") -> MeshOfStores:
    return MeshOfStores({region: {"notes": plan(policy, regions=regions)} for region in regions}, upkeep=UPKEEP)


async def put(mesh: MeshOfStores, region: str, key: str, value: bytes = b"v") -> Written:
    node = mesh.nodes[region]
    write = Write(stream="notes", key=key, kind="put", value=value, content_type="text/plain")
    (result,) = await node.store.write([write], now=mesh.wall(region))
    assert isinstance(result, Written)
    return result


def repairs(mesh: MeshOfStores) -> list[int]:
    found = []
    for node in mesh.nodes.values():
        assert node.replicator is not None
        found.append(sum(one.repaired for one in node.replicator.comparer.findings.values()))
    return found


def test_a_key_that_one_of_many_lost_comes_back_and_the_repair_is_counted_and_told() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start()
        for number in range(FEW_KEYS * 20):
            await put(mesh, "eu", f"k{number:04}")
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=20, what="convergence")
        for key in ("k0003", "k0700"):
            del mesh.nodes["us"].disk.streams["notes"].states[key]
        sent = len(mesh.network.carried)
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=30, what="repair")
        assert repairs(mesh) == [0, 2]
        said = [(level, facts.get("keys")) for level, event, facts in mesh.nodes["us"].said if "repaired" in event]
        assert said == [("error", 2)]
        size = sum(len(frame) for _, _, frame in mesh.network.carried[sent:])
        assert size < 40_000
        mesh.stop()

    virtual_time.run(play())


def test_nothing_is_repaired_while_writes_go_on_and_all_is_well() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us", "ap", policy="last_write_wins")
        mesh.network.delay_s = (0.05, 0.3)
        await mesh.start()
        for number in range(400):
            await put(mesh, ("eu", "us", "ap")[number % 3], f"k{number % 7}", b"%d" % number)
            await asyncio.sleep(0.1)
        assert repairs(mesh) == [0, 0, 0]
        for node in mesh.nodes.values():
            assert node.replicator is not None
            findings = node.replicator.comparer.findings["notes"]
            assert findings.clean_rounds == findings.rounds > 6
            assert findings.suspected == 0
        mesh.stop()

    virtual_time.run(play())


def test_each_store_repairs_itself_and_never_takes_a_loss_for_a_delete() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start()
        for key in ("a", "b", "c"):
            await put(mesh, "eu", key)
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=5, what="convergence")
        del mesh.nodes["us"].disk.streams["notes"].states["a"]
        del mesh.nodes["eu"].disk.streams["notes"].states["c"]
        await mesh.until(
            lambda: mesh.has_converged("notes") and len(mesh.states("notes")[0]) == 3, within_s=30, what="repair"
        )
        assert repairs(mesh) == [1, 1]
        mesh.stop()

    virtual_time.run(play())


def test_a_clean_round_proves_what_both_had_applied_when_it_began() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start()
        written = await put(mesh, "eu", "a")
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=5, what="convergence")
        await asyncio.sleep(12)
        replicator = mesh.nodes["eu"].replicator
        assert replicator is not None
        assert replicator.comparer.compared["notes"] == {"us:store1": {written.origin: written.seq}}
        mesh.stop()

    virtual_time.run(play())


def test_a_peer_that_answers_nonsense_is_named_and_others_go_on() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        await mesh.start()
        await put(mesh, "us", "a")
        await mesh.until(lambda: mesh.has_converged("notes"), within_s=5, what="convergence")
        store = mesh.nodes["us"].store
        real = store.page

        async def forged(stream: str, within: KeyRange, *, limit: int, max_bytes: int) -> object:
            page = await real(stream, within, limit=limit, max_bytes=max_bytes)
            return type(page)(page.applied, page.horizon, page.entries * 2, "")

        store.page = forged  # type: ignore[method-assign, assignment]
        mesh.nodes["eu"].disk.streams["notes"].states.clear()
        await asyncio.sleep(12)
        said = [event for level, event, _ in mesh.nodes["eu"].said if level == "error"]
        assert "a peer's comparison cannot be read" in said
        assert repairs(mesh) == [0, 0]
        mesh.stop()

    virtual_time.run(play())
