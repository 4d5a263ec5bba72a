from __future__ import annotations

from sync.core.aftermath import Tallies
from sync.postgres.commit import COLUMNS, STATEMENT, Rows
from sync.postgres.schema import named
from tests.integration.sync.postgres.conftest import Node, looking_at
from tests.integration.sync.store_contract import put, wrote

VERSION = "SELECT version FROM meta"


def test_rows_become_columns_in_the_order_of_the_statement() -> None:
    rows = Rows()
    assert rows.is_empty()
    rows.add("origin", [(7, "eu:store.aaaa"), (8, "us:store.aaaa")])
    arguments = rows.arguments()
    assert len(arguments) == sum(len(types) for types in COLUMNS.values())
    assert arguments[2:4] == [(7, 8), ("eu:store.aaaa", "us:store.aaaa")]
    tallies = Tallies()
    tallies.of("notes").keys = 2
    rows.add_figures({"notes": 1}, tallies, {"notes": 9})
    assert rows.of["figures"] == [(1, 2, 0, 0, 0, 0, 9)]


async def test_on_another_version_nothing_is_written(node: Node) -> None:
    place = node.fresh()
    store = await node.opened(place)
    await wrote(store, put("k", b"1"))
    rows = Rows()
    rows.add("origin", [(99, "us:store.aaaa")])
    rows.add("done", [("desk", 1, 99, 1, 0, 200, b"r")])
    async with looking_at(node.server, place) as connection:
        version = await connection.fetchval(VERSION)
        for known, committed in ((version - 1, 0), (version + 1, 0), (version, 1), (version, 0)):
            row = await connection.fetchrow(named(f"{place}_note", STATEMENT), known, 0, 1, *rows.arguments())
            assert row is not None
            assert row["committed"] == committed
        assert await connection.fetchval("SELECT count(*) FROM done") == 1
        assert await connection.fetchval(VERSION) == version + 1
