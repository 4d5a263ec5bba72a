from __future__ import annotations

import pytest

from sync.core.digests import KeyRange
from sync.core.operation import Malformed
from tests.integration.sync.postgres.conftest import Node
from tests.integration.sync.store_contract import NOTES, NOW, pull, put, values, wrote


async def test_a_page_that_is_refused_costs_no_connection_and_what_comes_next_is_taken(node: Node) -> None:
    here, there = await node.opened(node.fresh()), await node.opened(node.fresh(), "us")
    await wrote(here, put("a", b"1"))
    page = await here.page(NOTES, KeyRange(), limit=9, max_bytes=9999)
    with pytest.raises(Malformed):
        await there.absorb(NOTES, page, KeyRange("b"), purpose="snapshot", now=NOW)
    assert (await there.absorb(NOTES, page, KeyRange(), purpose="snapshot", now=NOW)).changed == 1
    assert await values(there, "a") == [b"1"]


async def test_what_a_snapshot_brought_ahead_of_the_log_is_applied_once_also_after_a_restart(node: Node) -> None:
    here, place = await node.opened(node.fresh()), node.fresh()
    there = await node.opened(place, "us")
    await wrote(here, put("a", b"1"), put("b", b"2"))
    page = await here.page(NOTES, KeyRange("a"), limit=9, max_bytes=9999)
    await there.absorb(NOTES, page, KeyRange("a"), purpose="snapshot", now=NOW)
    assert (await there.heads(NOTES)).received == {}
    await there.close()
    again = await node.opened(place, "us")
    await pull(again, here)
    stats = await again.stats(NOTES)
    assert (stats.log_operations, stats.keys) == (2, 2)
    assert await values(again, "b") == [b"2"]
    sent = await again.operations_after(NOTES, {}, max_operations=9, max_bytes=9999)
    assert sent == await here.operations_after(NOTES, {}, max_operations=9, max_bytes=9999)
