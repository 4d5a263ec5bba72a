"""What the workers of a node share, in one piece."""

from __future__ import annotations

import os

from gateway.core.gcra import quota
from gateway.node_memory import NodeMemory, create


def test_two_workers_share_all_three_parts_and_none_is_in_anothers_way() -> None:
    descriptor = create()
    one, other = (NodeMemory.shared(descriptor, me=me, workers=2) for me in (0, 1))
    assert one.limits.take(b"l\0k", quota(1, 1), 5.0).wait_s == 0.0
    for number in range(20_000):
        assert one.seen.is_new(number * 7919, until=30.0, now=0.0)
    assert one.places is not None
    assert other.places is not None
    rows = [row for number in range(100) if (row := one.places.row(f"cap {number}")) is not None]
    for number, row in enumerate(rows):
        row.write(number + 1, number)
    assert other.limits.take(b"l\0k", quota(1, 1), 5.0).wait_s > 0.0
    assert not any(other.seen.is_new(number * 7919, until=30.0, now=0.0) for number in range(20_000))
    for number in range(100):
        row = other.places.row(f"cap {number}")
        assert row is not None
        assert row.read() == ((number + 1, 1), (number, 0))
    os.close(descriptor)


def test_an_unused_piece_takes_hardly_any_memory() -> None:
    descriptor = create()
    assert os.fstat(descriptor).st_blocks * 512 < 64 * 1024
    os.close(descriptor)
