from __future__ import annotations

import pytest

from sync.core.digests import KeyRange
from sync.errors import StoreUnavailable
from tests.harness.replicas import Replica, plan
from tests.integration.sync.postgres.conftest import Node, looking_at
from tests.integration.sync.store_contract import NOTES, NOW, put, wrote


async def test_a_page_without_the_operation_of_a_version_is_not_sent(node: Node) -> None:
    place = node.fresh()
    store = await node.opened(place)
    await wrote(store, put("a", b"v"), put("b", b"v"))
    async with looking_at(node.server, place) as connection:
        await connection.execute("DELETE FROM log WHERE seq = 2")
    with pytest.raises(StoreUnavailable, match=r"operation 2@.* is missing from the log"):
        await store.page(NOTES, KeyRange(), limit=9, max_bytes=9999)
    assert [entry.key for entry in (await store.page(NOTES, KeyRange("", "a"), limit=9, max_bytes=9999)).entries] == [
        "a"
    ]


async def test_a_log_goes_on_before_what_is_held(node: Node) -> None:
    store = await node.opened(node.fresh())
    peer = Replica("us", plan("last_write_wins"))
    peer.write(b"1", now=NOW)
    peer.write(b"2", now=NOW + 60)
    await store.receive(NOTES, peer.missing({}), now=NOW)
    base = await store.base(NOTES)
    assert base == {peer.origin: (1, peer.log[peer.origin][0].digest)}
