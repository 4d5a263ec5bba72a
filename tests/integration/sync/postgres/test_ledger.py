from __future__ import annotations

import pytest

from sync.core.op_ids import WINDOW, OpId
from sync.errors import StoreUnavailable
from tests.integration.sync.postgres.conftest import Node, looking_at
from tests.integration.sync.store_contract import NOTES, NOW, put, values, wrote


async def test_a_commit_that_fails_changes_nothing_and_costs_no_sequence(node: Node) -> None:
    place = node.fresh()
    store = await node.opened(place)
    await wrote(store, put("k", b"1"))
    async with looking_at(node.server, place) as connection:
        await connection.execute("ALTER TABLE head ADD CONSTRAINT planted CHECK (seq < 2)")
        with pytest.raises(StoreUnavailable, match="planted"):
            await store.write([put("k", b"2")], now=NOW)
        await connection.execute("ALTER TABLE head DROP CONSTRAINT planted")
        assert await values(store, "k") == [b"1"]
        (written,) = await wrote(store, put("l", b"3"))
        positions = await connection.fetch("SELECT position FROM log ORDER BY position")
    assert (written.seq, [row["position"] for row in positions]) == (2, [1, 2])


async def test_operation_ids_are_remembered_within_the_window(node: Node) -> None:
    place = node.fresh()
    store = await node.opened(place)
    for sequence in (1, 2, WINDOW + 1):
        await wrote(store, put("k", b"v", op_id=OpId("desk", sequence), request=b"r"))
    async with looking_at(node.server, place) as connection:
        kept = await connection.fetch("SELECT sequence FROM done ORDER BY sequence")
        highest = await connection.fetchval("SELECT highest FROM client WHERE name = 'desk'")
    assert ([row["sequence"] for row in kept], highest) == ([2, WINDOW + 1], WINDOW + 1)


async def test_a_writer_that_knows_an_older_version_judges_again_and_writes_behind_the_other(node: Node) -> None:
    place = node.fresh()
    one, other = [await node.opened(place, name=name) for name in ("one", "other")]
    await wrote(one, put("k", b"1"))
    await wrote(other, put("k", b"2", must_be_absent=False))
    (third,) = await one.write([put("k", b"3", if_match=("1@" + one.origin(NOTES),))], now=NOW)
    assert third.status == 412, "judged on what the other has written"
    (fourth,) = await wrote(one, put("l", b"4"))
    assert fourth.seq == 3


async def test_an_origin_that_another_node_renewed_is_taken_up(node: Node) -> None:
    place = node.fresh()
    one, other = [await node.opened(place, name=name) for name in ("one", "other")]
    await wrote(one, put("k", b"1"))
    new = await other.renew_incarnation(NOTES, reason="a test")
    (written,) = await wrote(one, put("l", b"2"))
    assert (written.origin, written.seq, one.origin(NOTES)) == (new, 1, new)


async def test_a_node_that_stands_still_with_the_lock_holds_up_the_others_for_a_bounded_time(node: Node) -> None:
    place = node.fresh()
    store = await node.opened(place, answer_s=1.0)
    async with looking_at(node.server, place) as connection:
        await connection.execute("SET idle_in_transaction_session_timeout = 1000")
        await connection.execute("BEGIN")
        await connection.execute("SELECT * FROM meta FOR UPDATE")
        with pytest.raises(StoreUnavailable):
            await store.write([put("k", b"1")], now=NOW)
    (written,) = await wrote(store, put("k", b"2"))
    assert written.seq == 1
