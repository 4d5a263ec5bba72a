"""All bodies held whole have a bound together."""

from __future__ import annotations

from gateway.core.buffering import MAX_BYTES, MIN_BYTES, BufferLedger


def test_what_is_held_is_bounded_and_what_is_freed_may_be_held_again() -> None:
    ledger = BufferLedger()
    assert ledger.hold(MAX_BYTES - 1)
    assert not ledger.hold(2)
    assert ledger.hold(1)
    ledger.free(10)
    assert ledger.hold(10)
    assert not ledger.hold(1)


def test_workers_share_the_nodes_room_and_each_keeps_enough_for_one_body() -> None:
    assert not BufferLedger(workers=4).hold(MAX_BYTES // 4 + 1)
    assert BufferLedger(workers=1000).hold(MIN_BYTES)
