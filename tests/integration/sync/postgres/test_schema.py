from __future__ import annotations

import asyncio

import pytest

from sync.errors import StoreUnavailable
from sync.postgres.schema import FORMAT, named, schema_of
from tests.integration.sync.postgres.conftest import Node, looking_at
from tests.integration.sync.store_contract import NOTES, put, values, wrote
from tidegate.demo.waiting import until


def test_each_class_has_a_schema_of_its_own_that_postgresql_can_name() -> None:
    assert schema_of("note", "tidegate_data") == "tidegate_data_note"
    long = [schema_of("x" * 60 + ending, "tidegate_data") for ending in ("a", "b")]
    assert long[0] != long[1]
    assert all(len(name) <= 63 for name in long)
    assert named("s", "SELECT 1 FROM @log WHERE stream = #stream") == (
        'SELECT 1 FROM "s".log WHERE stream = (SELECT id FROM "s".stream WHERE name = $1)'
    )


async def test_nodes_that_start_together_make_the_tables_once(node: Node) -> None:
    place = node.fresh()
    stores = [node.made(place, name=f"n{at}") for at in range(4)]
    async with asyncio.timeout(30):
        await asyncio.gather(*(store.opened() for store in stores))
    assert len({store.origin(NOTES) for store in stores}) == 1
    assert [facts["because"] for facts in node.reported("new incarnation")] == ["a new store", "a new store"]
    assert not node.reported("cannot be served")


async def test_what_a_later_version_made_is_left_alone(node: Node) -> None:
    place = node.fresh()
    store = await node.opened(place)
    await store.close()
    async with looking_at(node.server, place) as connection:
        await connection.execute("UPDATE meta SET format = $1", FORMAT + 1)
    later = node.made(place)
    await until(lambda: "note" in later.faults, within_s=30, what="a refusal")
    assert "a later version" in later.faults["note"]
    with pytest.raises(StoreUnavailable, match="a later version"):
        await later.read(NOTES, "k")


async def test_a_role_that_may_make_no_schemas_uses_those_that_were_made_for_it(node: Node) -> None:
    place = node.fresh()
    async with looking_at(node.server, place) as connection:
        await connection.execute("CREATE ROLE modest LOGIN")
        for schema in (place, f"{place}_note", f"{place}_settings"):
            await connection.execute(f"CREATE SCHEMA {schema} AUTHORIZATION modest")
    store = await node.opened(place, dsn=node.server.dsn.replace("tidegate@", "modest@"))
    await wrote(store, put("k", b"v"))
    assert await values(store, "k") == [b"v"]
