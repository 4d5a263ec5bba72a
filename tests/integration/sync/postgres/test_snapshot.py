from __future__ import annotations

from tests.integration.sync.postgres.conftest import Node
from tests.integration.sync.store_contract import NOTES, put, wrote


async def test_all_its_answers_are_of_one_moment(node: Node) -> None:
    store = await node.opened(node.fresh())
    await wrote(store, put("a", b"1"))
    async with store.view(NOTES).snapshot() as snapshot:
        before = await snapshot.heads(NOTES)
        await wrote(store, put("b", b"2"), put("a", b"3"))
        assert await snapshot.heads(NOTES) == before
        assert list(await snapshot.states(NOTES, ["a", "b"])) == ["a"]
        assert (await snapshot.end(NOTES, store.origin(NOTES))).position == 1
        assert await snapshot.value(NOTES, [(store.origin(NOTES), 2)]) is None
    assert (await store.heads(NOTES)).received == {store.origin(NOTES): 3}


async def test_a_chain_is_cut_where_there_is_no_room_but_gives_one_when_asked_to(node: Node) -> None:
    store = await node.opened(node.fresh())
    await wrote(store, *(put(f"k{at}", b"x" * 1000) for at in range(4)))
    origin = store.origin(NOTES)
    async with store.view(NOTES).snapshot() as snapshot:
        for limit, room, at_least_one, count, is_whole in (
            (9, 1 << 20, False, 4, True),
            (3, 1 << 20, False, 3, False),
            (9, 2600, False, 2, False),
            (9, 1, True, 1, False),
            (9, 1, False, 0, False),
        ):
            chain, found_whole = await snapshot.chain(
                NOTES, origin, 0, limit=limit, room=room, at_least_one=at_least_one
            )
            assert (len(chain), found_whole) == (count, is_whole)
