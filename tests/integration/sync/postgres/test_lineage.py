from __future__ import annotations

import asyncio
from functools import partial

import pytest

from sync.core.writes import Write, Written
from sync.errors import StoreUnavailable
from sync.postgres.server import Connection
from sync.store import Store
from tests.harness.postgres import PostgresServer
from tests.integration.sync.postgres.conftest import Node, looking_at
from tests.integration.sync.store_contract import NOTES, SETTINGS, pull, put, values, wrote
from tidegate.demo.waiting import until

WITHIN_S = 60.0


async def reopened(node: Node, place: str, *changes: str) -> tuple[str, str, str]:
    """The origin before and after, and why it changed."""
    store = await node.opened(place)
    await wrote(store, put("k", b"v"))
    before = store.origin(NOTES)
    await store.close()
    node.reports.clear()
    async with looking_at(node.server, place) as connection:
        for change in changes:
            await connection.execute(change)
    store = await node.opened(place)
    await wrote(store, put("l", b"v"))
    why = [facts["because"] for facts in node.reported("new incarnation") if facts["schema"].endswith("note")]
    return before, store.origin(NOTES), "".join(why)


async def test_an_origin_goes_on_while_nothing_happened_to_the_database(node: Node) -> None:
    before, after, why = await reopened(node, node.fresh())
    assert (after, why) == (before, "")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("VACUUM FULL meta", "promoted, restored or copied"),
        ("UPDATE meta SET lineage = 'timeline 00000000'", "promoted, restored or copied"),
        ("UPDATE meta SET version = version - 1", "it was put back"),
    ],
)
async def test_data_that_may_lack_what_was_written_goes_on_under_a_new_incarnation(
    node: Node, change: str, why: str
) -> None:
    before, after, found = await reopened(node, node.fresh(), change)
    assert after != before
    assert after.partition(".")[0] == before.partition(".")[0]
    assert why in found


async def test_data_on_another_server_is_another_store(node: Node) -> None:
    before, after, why = await reopened(node, node.fresh(), "UPDATE store SET system = '1'")
    assert after.partition(".")[0] != before.partition(".")[0]
    assert why == f"data of {before.partition('.')[0]}"


async def test_all_classes_of_a_database_are_one_store(node: Node) -> None:
    store = await node.opened(node.fresh())
    assert store.origin(NOTES).partition(".")[0] == store.origin(SETTINGS).partition(".")[0]
    assert store.origin(NOTES) != store.origin(SETTINGS)


async def test_the_database_of_another_region_is_refused(node: Node) -> None:
    place = node.fresh()
    await node.opened(place, "eu")
    foreign = node.made(place, "us")
    await until(lambda: "note" in foreign.faults, within_s=30, what="a refusal")
    assert "the database of region eu, expected one of us's own" in foreign.faults["note"]


async def test_a_promoted_standby_that_lacks_a_commit_gives_no_sequence_again_and_gets_it_back(node: Node) -> None:
    primary = await asyncio.to_thread(PostgresServer, "fsync=off")
    standby = await asyncio.to_thread(primary.standby)
    both = f"postgresql://tidegate@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/postgres"
    place = node.fresh()
    try:
        store, peer = await node.opened(place, dsn=both), await node.opened(node.fresh(), "us")
        await wrote(store, put("a", b"1"))
        async with looking_at(standby, place) as connection:
            await until(partial(is_there, connection), within_s=WITHIN_S, what="the first write on the standby")
            await connection.execute("ALTER SYSTEM SET primary_conninfo = ''")
            await connection.execute("SELECT pg_reload_conf()")
            await until(partial(is_cut_off, connection), within_s=WITHIN_S, what="a standby that follows nobody")
            (lost,) = await wrote(store, put("b", b"2"))
            await pull(peer, store)
            primary.kill()
            await connection.execute("SELECT pg_promote()")
        written = await put_when_possible(store, put("c", b"3"))
        assert written.origin != lost.origin
        assert written.origin.partition(".")[0] == lost.origin.partition(".")[0]
        assert await values(store, "b") == []
        await pull(store, peer)
        await pull(peer, store)
        for key, value in (("a", b"1"), ("b", b"2"), ("c", b"3")):
            assert await values(store, key) == await values(peer, key) == [value]
        assert "promoted" in node.reported("new incarnation")[-1]["because"]
    finally:
        await asyncio.to_thread(primary.close)
        await asyncio.to_thread(standby.close)


async def test_a_database_that_is_restored_to_a_moment_gives_no_sequence_again_and_gets_the_rest_back(
    node: Node,
) -> None:
    server, place = await asyncio.to_thread(PostgresServer, "fsync=off"), node.fresh()
    try:
        store, peer = await node.opened(place, dsn=server.dsn), await node.opened(node.fresh(), "us")
        await wrote(store, put("a", b"1"))
        await asyncio.to_thread(server.base_backup)
        await wrote(store, put("b", b"2"))
        async with looking_at(server, place) as connection:
            await connection.execute("SELECT pg_create_restore_point('noon')")
        (lost,) = await wrote(store, put("c", b"3"))
        await pull(peer, store)
        node.reports.clear()
        await asyncio.to_thread(server.put_back, "noon")
        written = await put_when_possible(store, put("d", b"4"))
        assert written.origin != lost.origin
        assert written.origin.partition(".")[0] == lost.origin.partition(".")[0]
        assert [await values(store, key) for key in "abc"] == [[b"1"], [b"2"], []]
        assert "promoted, restored or copied" in node.reported("new incarnation")[-1]["because"]
        await pull(store, peer)
        await pull(peer, store)
        for key, value in (("a", b"1"), ("b", b"2"), ("c", b"3"), ("d", b"4")):
            assert await values(store, key) == await values(peer, key) == [value]
    finally:
        await asyncio.to_thread(server.close)


async def is_there(connection: Connection) -> bool:
    return bool(await connection.fetchval("SELECT count(*) FROM log"))


async def is_cut_off(connection: Connection) -> bool:
    return not await connection.fetchval("SELECT count(*) FROM pg_stat_wal_receiver")


async def put_when_possible(store: Store, write: Write) -> Written:
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                return (await wrote(store, write))[0]
            except StoreUnavailable:
                await asyncio.sleep(0.05)


async def test_data_that_lacks_the_last_changes_that_a_node_noted_was_put_back(node: Node) -> None:
    place = node.fresh()
    store = await node.opened(place)
    async with looking_at(node.server, place) as connection:
        version = await connection.fetchval("SELECT version FROM meta")
        await wrote(store, put("k", b"v"))
        await store.close()
        await connection.execute("UPDATE meta SET version = $1", version)
    origin = store.origin(NOTES)
    assert (await node.opened(place)).origin(NOTES) != origin
