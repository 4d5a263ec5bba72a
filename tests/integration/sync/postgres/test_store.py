from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from sync.core.operation import decode_head
from sync.errors import StoreFull, StoreUnavailable
from sync.store import Store
from tests.harness.postgres import PostgresServer
from tests.integration.sync.postgres.conftest import Node, looking_at
from tests.integration.sync.store_contract import NOTES, NOW, SETTINGS, Make, StoreContract, pull, put, values, wrote

SECRET = b"canary-0451-canary"
WITHIN_S = 30.0


@pytest.fixture
async def make(node: Node) -> Make:
    async def made(region: str, **changes: Any) -> Store:
        return await node.opened(node.fresh(), region, **changes)

    return made


class TestContract(StoreContract):
    """The store in PostgreSQL passes the contract."""


async def until_it_works(store: Store, key: str) -> None:
    """A client that tries again until it is told that its write is done."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                await wrote(store, put(key, b"v"))
            except StoreUnavailable:
                await asyncio.sleep(0.05)
            else:
                return


async def test_everything_is_there_after_a_restart_and_the_origin_goes_on(node: Node) -> None:
    place = node.fresh()
    store = await node.opened(place)
    await wrote(store, put("k", b"v"))
    origin = store.origin(NOTES)
    await store.close()
    again = await node.opened(place)
    assert again.origin(NOTES) == origin
    assert await values(again, "k") == [b"v"]
    (written,) = await wrote(again, put("l", b"w"), now=NOW - 3600)
    assert written.seq == 2
    record = await again.read(NOTES, "k")
    assert record is not None
    assert written.hlc > record.state.hlc()


async def test_nodes_that_share_a_database_are_one_store_without_gaps(node: Node) -> None:
    place = node.fresh()
    one, other = [await node.opened(place, name=name) for name in ("one", "other")]
    assert one.origin(NOTES) == other.origin(NOTES)

    async def client(store: Store, name: str) -> None:
        for at in range(40):
            await wrote(store, put(f"{name}-{at}", b"v"), put("shared", f"{name}-{at}".encode(), SETTINGS))

    await asyncio.gather(*(client(store, f"{at}") for at, store in enumerate((one, other) * 4)))
    peer = await node.opened(node.fresh(), "us")
    for stream in (NOTES, SETTINGS):
        await pull(peer, one, stream)
        operations = await other.operations_after(stream, {}, max_operations=1000, max_bytes=1 << 24)
        assert [decode_head(sealed.head).seq for sealed in operations] == list(range(1, 321))
        assert (await peer.heads(stream)).applied == {one.origin(stream): 320}
    assert await values(one, "shared", SETTINGS) == await values(peer, "shared", SETTINGS)
    page = await other.changes(NOTES, None, limit=1000, max_bytes=1 << 20)
    assert Counter(change.operation.key for change in page.changes) == Counter(
        f"{at}-{number}" for at in range(8) for number in range(40)
    )


async def test_who_waits_on_one_node_is_woken_by_a_write_through_another(node: Node) -> None:
    place = node.fresh()
    one, other = [await node.opened(place, name=name) for name in ("one", "other")]
    end = await one.cursor(NOTES)
    waiting = asyncio.gather(one.wait_for_change({NOTES: end.position}, timeout_s=WITHIN_S))
    await wrote(other, put("k", b"v"))
    assert all(await waiting)


async def test_it_is_made_without_a_database_and_works_when_there_is_one(node: Node, server: PostgresServer) -> None:
    server.kill()
    try:
        store = node.made(node.fresh())
        with pytest.raises(StoreUnavailable):
            await store.read(NOTES, "k")
        with pytest.raises(StoreUnavailable):
            await store.write([put("k", b"v")], now=NOW)
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(WITHIN_S):
            await store.opened()
        await until_it_works(store, "k")
        server.kill()
        with pytest.raises(StoreUnavailable):
            await store.write([put("l", b"v")], now=NOW)
        with pytest.raises(StoreUnavailable):
            await store.read(NOTES, "k")
        await asyncio.to_thread(server.start)
        await until_it_works(store, "l")
        assert await values(store, "k") == await values(store, "l") == [b"v"]
        assert node.reported("cannot be served")
    finally:
        await asyncio.to_thread(server.start)


async def test_a_frozen_server_costs_a_bounded_time_and_a_commit_that_thaws_later_is_no_second_one(
    node: Node, server: PostgresServer
) -> None:
    store = await node.opened(node.fresh(), answer_s=1.0)
    await wrote(store, put("k", b"1", SETTINGS))
    server.freeze()
    try:
        refused = [
            store.write([put("k", b"2", SETTINGS)], now=NOW),
            store.read(SETTINGS, "k"),
            store.write([put("k", b"3", SETTINGS)], now=NOW),
        ]
        async with asyncio.timeout(WITHIN_S):
            outcomes = await asyncio.gather(*refused, return_exceptions=True)
        assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes), outcomes
        server.thaw()
        await until_it_works(store, "after")
        operations = await store.operations_after(SETTINGS, {}, max_operations=100, max_bytes=1 << 20)
        heads = [decode_head(sealed.head) for sealed in operations]
        assert [head.seq for head in heads] == list(range(1, len(heads) + 1))
        assert len(heads) <= 2, "the second of the refused writes was never sent"
    finally:
        server.thaw()


async def test_a_full_disk_refuses_writes_and_nothing_else(node: Node) -> None:
    place = node.fresh()
    store = await node.opened(place)
    await wrote(store, put("k", b"1"))
    async with looking_at(node.server, place) as connection:
        await connection.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql"
            " AS $$BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END$$;"
            "CREATE TRIGGER full_disk BEFORE INSERT ON log EXECUTE FUNCTION full_disk()"
        )
        with pytest.raises(StoreFull, match="no room"):
            await store.write([put("k", b"2")], now=NOW)
        assert await values(store, "k") == [b"1"]
        await connection.execute("DROP TRIGGER full_disk ON log")
    (written,) = await wrote(store, put("k", b"3"))
    assert written.seq == 2


async def test_values_of_a_type_that_must_be_encrypted_are_nowhere_in_the_database(node: Node) -> None:
    place = node.fresh()
    plain = await node.opened(place)
    await wrote(plain, put("old", SECRET))
    await plain.close()
    store = await node.opened(place, is_encrypted=True)
    await wrote(store, put("new", SECRET))
    async with looking_at(node.server, place) as connection:
        stored = await connection.fetch("SELECT value, cipher FROM log")
    assert len(stored) == 2
    assert not any(SECRET in row["value"] for row in stored)
    assert await values(store, "old") == await values(store, "new") == [SECRET]
    await store.close()
    rotated = await node.opened(place, is_encrypted=True, keys=(b"n" * 32, b"k" * 32))
    assert await values(rotated, "new") == [SECRET]
    await rotated.close()
    lost = await node.opened(place, is_encrypted=True, keys=(b"n" * 32,))
    with pytest.raises(StoreUnavailable, match="data key that is not configured"):
        await lost.read(NOTES, "new")


async def test_large_values_come_back_whole_and_by_pages_that_are_bounded(node: Node) -> None:
    store, peer = await node.opened(node.fresh()), await node.opened(node.fresh(), "us")
    large = bytes(range(256)) * 8192
    await wrote(store, *(put(f"k{at}", large) for at in range(3)))
    assert await values(store, "k2") == [large]
    first = await store.operations_after(NOTES, {}, max_operations=100, max_bytes=3 << 20)
    assert len(first) == 1
    await pull(peer, store)
    assert await values(peer, "k1") == [large]


async def test_conflict_records_go_by_age_and_free_what_they_kept(node: Node) -> None:
    here, there = await node.opened(node.fresh()), await node.opened(node.fresh(), "us")
    await wrote(here, put("k", b"early", SETTINGS))
    await wrote(there, put("k", b"late", SETTINGS), now=NOW + 0.1)
    await pull(here, there, SETTINGS, now=NOW + 1)
    assert (await here.stats(SETTINGS)).conflict_records == 1
    await here.expire(conflicts_before_ms=int((NOW + 60) * 1000), now=NOW + 60)
    stats = await here.stats(SETTINGS)
    assert (stats.conflict_records, stats.conflict_bytes) == (0, 0)
    assert await here.prune(SETTINGS, (await here.heads(SETTINGS)).applied, keep=0) == 1
