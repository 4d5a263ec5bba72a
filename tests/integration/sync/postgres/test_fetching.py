from __future__ import annotations

from functools import partial

from sync.core.op_ids import OpId
from sync.postgres.fetching import FETCH, fetch, read_known
from sync.postgres.schema import named
from tests.integration.sync.postgres.conftest import Node, looking_at
from tests.integration.sync.store_contract import NOTES, put, wrote


async def test_what_is_remembered_is_what_the_database_says(node: Node) -> None:
    place = node.fresh()
    store = await node.opened(place)
    await wrote(store, put("a", b"1"), put("b", b"2"))
    async with looking_at(node.server, place) as connection:
        known = await read_known(connection, partial(named, f"{place}_note"), [NOTES], lock=False)
        assert (known.origin, known.position, known.streams) == (store.origin(NOTES), 2, {NOTES: 1})
        assert known.heads[NOTES][known.origin].seq == 2
        assert (known.held, known.ahead, known.conflict_bytes) == (set(), set(), 0)
        known.own_heads()[NOTES].seq = 9
        assert known.own_heads()[NOTES].seq == 2


async def test_a_batch_gets_states_and_operation_ids_by_one_question(node: Node) -> None:
    place = node.fresh()
    store = await node.opened(place)
    await wrote(store, put("a", b"1", op_id=OpId("desk", 7), request=b"r"), put("b", b"2"))
    async with looking_at(node.server, place) as connection:
        known = await read_known(connection, partial(named, f"{place}_note"), [NOTES], lock=False)
        places = {(NOTES, "a"), (NOTES, "none"), ("nobody", "a")}
        ids = {OpId("desk", 7), OpId("desk", 8), OpId("~once", 1)}
        found = await fetch(connection, named(f"{place}_note", FETCH), known, places, ids)
    assert set(found.states) == {(NOTES, "a")}
    assert {op_id: done.seq for op_id, done in found.done.items()} == {OpId("desk", 7): 1}
    assert found.highest == {"desk": 7}
