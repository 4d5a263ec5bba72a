"""One operation that came damaged waits alone, until somebody has it sound or an operator gives it up."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from sync.core.arrivals import operation_dot
from sync.core.dots import Dot
from sync.core.local_batch import Appended
from sync.core.operation import Sealed
from sync.core.writes import Write
from sync.replication.quarantine import AGAIN_S
from tests.harness import virtual_time
from tests.harness.mesh_of_stores import MeshOfStores
from tests.harness.replicas import plan

REGIONS = ("eu", "us", "ap")
QUARANTINED = "an operation is quarantined: only its key waits"
MENDED = "a sound copy came: an operation leaves the quarantine"


def mesh_of(*regions: str) -> MeshOfStores:
    return MeshOfStores({region: {"notes": plan(name="notes", regions=regions)} for region in regions})


async def put(mesh: MeshOfStores, region: str, key: str, value: bytes) -> None:
    write = Write(stream="notes", key=key, kind="put", value=value)
    await mesh.nodes[region].store.write([write], now=mesh.wall(region))


def rot(mesh: MeshOfStores, region: str, at: int) -> Dot:
    """The disk alters a value in the log."""
    log = mesh.nodes[region].disk.streams["notes"].log
    log[at] = with_value(log[at], b"rotten")
    return operation_dot(log[at].operation)


def with_value(one: Appended, value: bytes) -> Appended:
    return replace(one, sealed=Sealed(one.sealed.head, one.sealed.salt, value))


def said(mesh: MeshOfStores, region: str) -> list[str]:
    return [event for _, event, _ in mesh.nodes[region].said]


async def keys(mesh: MeshOfStores, region: str) -> list[str]:
    return [one.key for one in await mesh.nodes[region].store.list_keys("notes", prefix="", after="", limit=100)]


async def one_rotten(mesh: MeshOfStores) -> Dot:
    """us has got the first of three writes of eu damaged; the second one to its key waits behind it."""
    for key, value in (("a", b"1"), ("b", b"2"), ("a", b"3")):
        await put(mesh, "eu", key, value)
    dot = rot(mesh, "eu", 0)
    await mesh.start()
    await mesh.until(lambda: QUARANTINED in said(mesh, "us"), within_s=30, what="quarantine")
    await mesh.until(
        lambda: len(mesh.nodes["us"].disk.streams["notes"].held) == 2, within_s=5, what="what comes behind"
    )
    return dot


def test_the_rest_of_the_origin_goes_on_here_and_further_on() -> None:
    async def play() -> None:
        mesh = mesh_of(*REGIONS)
        mesh.network.cut("eu", "ap")  # it hears of eu from us alone
        await one_rotten(mesh)
        await put(mesh, "eu", "c", b"4")
        await mesh.until(
            lambda: len(mesh.nodes["ap"].disk.streams["notes"].log) == 4, within_s=30, what="all has come through"
        )
        assert await keys(mesh, "us") == await keys(mesh, "ap") == ["b", "c"]
        stats = await mesh.nodes["ap"].store.stats("notes")
        assert (stats.held, stats.quarantined) == (2, 1)
        mesh.stop()

    virtual_time.run(play())


def test_a_peer_that_has_it_sound_ends_it_by_itself() -> None:
    async def play() -> None:
        mesh = mesh_of(*REGIONS)
        mesh.network.cut("us", "ap")
        mesh.network.cut("us", "eu")
        await mesh.start()
        await put(mesh, "eu", "a", b"1")
        await mesh.until(lambda: len(mesh.nodes["ap"].disk.streams["notes"].log) == 1, within_s=9, what="ap has it")
        rot(mesh, "eu", 0)
        mesh.network.blocked.discard(("us", "eu"))
        mesh.network.blocked.discard(("eu", "us"))
        await mesh.until(lambda: QUARANTINED in said(mesh, "us"), within_s=60, what="quarantine")
        assert await keys(mesh, "us") == []
        await asyncio.sleep(4)
        mesh.network.heal()
        await mesh.until(lambda: MENDED in said(mesh, "us"), within_s=AGAIN_S / 4, what="a sound copy, soon")
        assert await keys(mesh, "us") == ["a"]
        replicator = mesh.nodes["us"].replicator
        assert replicator is not None
        assert await replicator.quarantine.found("notes") == {}, "and nothing is noted of it any more"
        mesh.stop()

    virtual_time.run(play())


def test_an_operator_may_ask_again_once_the_cause_is_gone() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        sound = await one_rotten(mesh)
        replicator = mesh.nodes["us"].replicator
        assert replicator is not None
        assert await replicator.quarantine.retry("notes") == 0, "eu has it no better"
        log = mesh.nodes["eu"].disk.streams["notes"].log
        log[0] = with_value(log[0], b"1")
        assert await replicator.quarantine.retry("notes", origin="another") == 0
        assert await replicator.quarantine.retry("notes", origin=sound[0]) == 1
        assert await keys(mesh, "us") == ["a", "b"]
        assert (await mesh.nodes["us"].store.stats("notes")).held == 0
        mesh.stop()

    virtual_time.run(play())


def test_what_is_given_up_counts_as_applied_and_its_key_goes_on() -> None:
    async def play() -> None:
        mesh = mesh_of("eu", "us")
        dot = await one_rotten(mesh)
        node = mesh.nodes["us"]
        assert node.replicator is not None
        assert not await node.replicator.quarantine.release("notes", (dot[0], 2)), "that one is applied"
        assert await node.replicator.quarantine.release("notes", dot)
        record = await node.store.read("notes", "a")
        assert record is not None
        assert [body.value for body in record.bodies] == [b"3"]
        assert (await node.store.heads("notes")).applied == {dot[0]: 3}
        assert (await node.store.stats("notes")).held == 0
        assert await node.replicator.quarantine.found("notes") == {}
        mesh.stop()

    virtual_time.run(play())
