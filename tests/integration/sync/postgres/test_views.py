from __future__ import annotations

import re

import asyncpg
import pytest

from sync.errors import StoreUnavailable
from sync.postgres.copies import BOUND
from sync.postgres.fetching import AHEAD
from sync.postgres.schema import named
from sync.postgres.server import session_settings
from sync.postgres.snapshot import BEHIND, CHAIN, CHAIN_SIZES
from sync.postgres.views import LIST, behind
from tests.integration.sync.postgres.conftest import Node, looking_at
from tests.integration.sync.store_contract import NOTES, put, values, wrote


async def test_readers_see_what_is_committed_and_wait_for_no_writer(node: Node) -> None:
    place = node.fresh()
    store = await node.opened(place)
    await wrote(store, put("k", b"1"), put("two", b"1"), put("two", b"2"))
    async with looking_at(node.server, place) as connection:
        await connection.execute("BEGIN; LOCK TABLE state IN EXCLUSIVE MODE")
        await connection.execute("DELETE FROM state")
        assert await values(store, "k") == [b"1"]
        assert sorted(await values(store, "two")) == [b"1", b"2"]  # type: ignore[type-var]
        assert len(await store.list_keys(NOTES, prefix="", after="", limit=9)) == 2
        await connection.execute("ROLLBACK")


async def test_a_hole_in_the_log_is_never_sent_as_if_it_were_none(node: Node) -> None:
    place = node.fresh()
    store = await node.opened(place)
    await wrote(store, *(put(f"k{at}", b"v") for at in range(3)))
    async with looking_at(node.server, place) as connection:
        await connection.execute("DELETE FROM log WHERE seq = 2")
    with pytest.raises(StoreUnavailable, match="missing from the log"):
        await store.operations_after(NOTES, {}, max_operations=9, max_bytes=9999)


async def test_keys_are_any_text_whatever_the_databases_encoding(node: Node) -> None:
    node.server.execute("postgres", "CREATE DATABASE latin ENCODING LATIN1 LOCALE 'C' TEMPLATE template0")
    store = await node.opened(node.fresh(), dsn=f"{node.server.dsn.rpartition('/')[0]}/latin")
    await wrote(store, put("ключ/\U0001f600", b"v"), put("ключ/a", b"v"), put("a", b"v"))
    found = await store.list_keys(NOTES, prefix="ключ/", after="", limit=9)
    assert [listed.key for listed in found] == ["ключ/a", "ключ/\U0001f600"]


@pytest.mark.parametrize(
    ("statement", "arguments"),
    [
        (BEHIND, (NOTES, 100, 10)),
        (CHAIN, (NOTES, 1, 100, 10)),
        (CHAIN_SIZES, (NOTES, 1, 100, 10)),
        (LIST, (NOTES, b"k", b"l", b"k1", 10)),
        (BOUND, (NOTES, b"", None, 9)),
        (AHEAD, ()),
    ],
)
async def test_pages_are_read_in_order_of_an_index_and_no_further(
    node: Node, statement: str, arguments: tuple[object, ...]
) -> None:
    place = node.fresh()
    store = await node.opened(place)
    await wrote(store, *(put(f"k{at}", b"v") for at in range(400)))
    settings = session_settings("a test", answer_s=10)
    connection = await asyncpg.connect(node.server.dsn, server_settings=settings)
    rows = await connection.fetch("EXPLAIN ANALYZE " + named(f"{place}_note", statement), *arguments)
    await connection.close()
    plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan" not in plan, plan
    read = [int(found) for found in re.findall(r"Scan.*\(actual .*rows=(\d+)", plan)]
    assert max(read) <= 10, plan


def test_what_sorts_behind_a_prefix() -> None:
    assert behind(b"ab") == b"ac"
    assert behind(b"a\xff") == b"b"
    assert behind(b"") is behind(b"\xff") is None
