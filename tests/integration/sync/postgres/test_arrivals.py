from __future__ import annotations

import pytest

from sync.core.op_ids import OpId
from sync.errors import Unstorable
from tests.harness.replicas import Replica, plan
from tests.integration.sync.postgres.conftest import Node
from tests.integration.sync.store_contract import NOTES, NOW, pull, put, values, wrote


async def test_two_nodes_of_one_store_may_take_the_same_from_a_peer(node: Node) -> None:
    place = node.fresh()
    one, other = [await node.opened(place, name=name) for name in ("one", "other")]
    peer = await node.opened(node.fresh(), "us")
    await wrote(peer, *(put(f"k{at}", b"v") for at in range(10)))
    operations = await peer.operations_after(NOTES, {}, max_operations=100, max_bytes=1 << 20)
    assert (await one.receive(NOTES, operations[:6], now=NOW)).applied == 6
    receipt = await other.receive(NOTES, operations, now=NOW)
    assert (receipt.applied, receipt.duplicates, receipt.problem) == (4, 6, None)
    await wrote(one, put("own", b"v"))
    await pull(peer, one)
    assert await values(peer, "own") == [b"v"]


async def test_what_this_very_store_wrote_through_another_node_is_no_sign_of_lost_memory(node: Node) -> None:
    place = node.fresh()
    one, other = [await node.opened(place, name=name) for name in ("one", "other")]
    await wrote(one, put("a", b"v"))
    await wrote(other, put("b", b"v"))
    operations = await other.operations_after(NOTES, {}, max_operations=100, max_bytes=1 << 20)
    receipt = await one.receive(NOTES, operations, now=NOW)
    assert (receipt.duplicates, receipt.problem) == (2, None)


async def test_what_the_database_cannot_hold_is_refused_as_such_and_can_be_quarantined(node: Node) -> None:
    store, peer = await node.opened(node.fresh()), Replica("us", plan("vector_clock"))
    peer.write(b"sound", now=NOW, key="a")
    peer.write(b"poison", now=NOW, key="b", op_id=OpId("a client\0", 1), request=b"r")
    peer.write(b"later", now=NOW, key="b")
    peer.write(b"other", now=NOW, key="c")
    sent = peer.missing({})
    with pytest.raises(Unstorable):
        await store.receive(NOTES, sent, now=NOW)
    assert (await store.heads(NOTES)).received == {}, "nothing of it was taken"
    receipt = await store.receive(NOTES, sent, now=NOW, poison=[(peer.origin, 2)])
    assert (receipt.problem, receipt.applied, receipt.held) == (None, 2, 2)
    assert [await values(store, key) for key in "abc"] == [[b"sound"], [], [b"other"]]
    with pytest.raises(Unstorable):
        await store.release_held(NOTES, now=NOW, sound=sent[1:2])
    assert await store.skip_held(NOTES, (peer.origin, 2))
    assert await store.release_held(NOTES, now=NOW) == 1
    assert await values(store, "b") == [b"later"]
