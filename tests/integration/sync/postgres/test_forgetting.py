from __future__ import annotations

import pytest

from sync.core.op_ids import of_idempotency_key
from sync.postgres import forgetting
from sync.postgres.store import PostgresStore
from tests.integration.sync.postgres.conftest import Node, looking_at
from tests.integration.sync.store_contract import NOTES, NOW, put, wrote


@pytest.fixture
def place(node: Node) -> str:
    return node.fresh()


@pytest.fixture
async def store(node: Node, place: str) -> PostgresStore:
    return await node.opened(place)


async def test_churn_leaves_no_more_than_what_keys_hold(store: PostgresStore, node: Node, place: str) -> None:
    for turn in range(30):
        await wrote(store, *(put(f"k{at}", b"%d" % turn, context={store.origin(NOTES): turn * 50}) for at in range(50)))
    await wrote(store, *(put(f"k{at}", b"", kind="delete") for at in range(25)))
    assert await store.prune(NOTES, (await store.heads(NOTES)).applied, keep=0) == 29 * 50 + 50
    async with looking_at(node.server, place) as connection:
        counted = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM log), (SELECT count(*) FROM state), (SELECT count(*) FROM dropped)"
        )
        size = await connection.fetchval("SELECT sum(length(head) + length(value)) FROM log")
    assert counted is not None
    assert tuple(counted) == (25, 25, 0)
    stats = await store.stats(NOTES)
    assert (stats.keys, stats.tombstones, stats.log_operations, stats.log_bytes) == (25, 0, 25, size)


async def test_the_latest_are_kept_for_feeds(store: PostgresStore) -> None:
    for turn in range(10):
        await wrote(store, put("k", b"%d" % turn, context={store.origin(NOTES): turn}))
    assert await store.prune(NOTES, (await store.heads(NOTES)).applied, keep=4) == 6


async def test_positions_are_never_given_twice(store: PostgresStore, node: Node, place: str) -> None:
    await wrote(store, put("k", b"1"), put("k", b"", kind="delete"))
    await store.prune(NOTES, (await store.heads(NOTES)).applied, keep=0)
    await store.close()
    again = await node.opened(place)
    await wrote(again, put("k", b"2"))
    assert (await again.cursor(NOTES)).position == 3


async def test_idempotency_keys_go_by_age_and_by_number(store: PostgresStore, node: Node, place: str) -> None:
    for at in range(10):
        await wrote(store, put(f"k{at}", b"v", op_id=of_idempotency_key(f"word {at}"), request=b"r"), now=NOW + at)
    ledger = store.ledger(NOTES)
    await forgetting.forget_keys(ledger, before_ms=int((NOW + 3) * 1000), passing_before_ms=0, at_most=5)
    async with looking_at(node.server, place) as connection:
        kept = await connection.fetch("SELECT at_ms FROM done ORDER BY at_ms")
    assert [row["at_ms"] for row in kept] == [int((NOW + at) * 1000) for at in range(5, 10)]
