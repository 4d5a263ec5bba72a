"""The table of limits in one process: evictions, overflow, bounded memory."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.table import Table, table_bytes
from gateway.core.gcra import quota, take
from gateway.node_memory import create

ONE = quota(1, 1)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=100))
def test_keys_are_counted_as_if_each_were_alone(arrivals: list[tuple[int, int]]) -> None:
    table, alone, now, of = Table(buckets=64), dict[int, float](), 100.0, quota(2, 3)
    for key, gap in arrivals:
        now += gap * 0.125
        fresh, wait_s = take(alone.get(key, 0.0), now, of)
        taken = table.take(b"limit\0%d" % key, of, now)
        assert (taken.wait_s == 0.0) == (wait_s == 0.0)
        if wait_s == 0.0:
            alone[key] = fresh
    table.close()


def test_a_million_keys_take_no_more_memory_and_those_that_found_no_place_share_one_bucket() -> None:
    table = Table(buckets=256)
    before = _resident()
    admitted = sum(table.take(b"limit\0%d" % key, ONE, 100.0).wait_s == 0.0 for key in range(1_000_000))
    assert admitted <= 256 * 16 + 1
    assert table.overflowed >= 1_000_000 - 256 * 16
    assert _resident() - before < 4 * 1024 * 1024
    assert table.take(b"limit\0new", ONE, 102.0).wait_s == 0.0, "idle keys make place"
    assert table_bytes() < 2.2 * 1024 * 1024
    table.close()


def _resident() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123 - not a file
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_looking_spends_nothing() -> None:
    table = Table()
    for _ in range(3):
        assert table.take(b"l\0k", ONE, 5.0, spend=False).wait_s == 0.0
    table.take(b"l\0k", ONE, 5.0)
    assert table.take(b"l\0k", ONE, 5.0, spend=False).wait_s == pytest.approx(1.0)
    table.close()


def test_a_request_that_may_wait_gets_its_place_in_line_and_one_that_may_not_leaves_none() -> None:
    table = Table()
    waits = [table.take(b"l\0k", ONE, 5.0, 2.5).wait_s for _ in range(5)]
    assert waits == pytest.approx([0.0, 1.0, 2.0, 3.0, 3.0])
    table.close()


def test_what_another_configuration_or_clock_left_behind_blocks_nobody_for_longer_than_a_burst() -> None:
    table = Table()
    slow = quota(0.001, 5)
    for _ in range(5):
        table.take(b"l\0k", slow, 1000.0)
    assert table.take(b"l\0k", ONE, 5.0).wait_s <= 1.0
    table.close()


def test_a_descriptor_of_something_else_is_refused() -> None:
    descriptor = os.memfd_create("other")
    os.ftruncate(descriptor, table_bytes())
    with pytest.raises(ValueError, match="something else"):
        Table(descriptor)
    os.close(descriptor)


def test_two_views_of_one_table_count_together() -> None:
    descriptor = create()
    first, second = Table(descriptor), Table(descriptor)
    assert first.take(b"l\0k", ONE, 5.0).wait_s == 0.0
    assert second.take(b"l\0k", ONE, 5.0).wait_s > 0.0
    first.close()
    second.close()
    os.close(descriptor)
