from __future__ import annotations

from typing import Any

import pytest

from sync.core.feed import LogRow, Page, choose, is_expired
from sync.core.op_ids import OpId
from tests.harness.replicas import Replica, plan


def replica(*values: tuple[str, bytes]) -> Replica:
    made = Replica("eu", plan("last_write_wins"))
    for key, value in values:
        made.write(value, now=1000.0, key=key)
    return made


def page(made: Replica, **changes: Any) -> Page:
    rows = [
        LogRow(at, one.operation.origin, one.operation.seq, one.sealed.head, len(one.sealed.value))
        for at, one in enumerate(made.log[made.origin], start=1)
    ]
    facts: dict[str, Any] = {
        "known": {},
        "position_of": lambda _: None,
        "position": 0,
        "limit": 10,
        "max_bytes": 1000,
        **changes,
    }
    return choose(rows, made.state, **facts)


def keys(found: Page) -> list[str]:
    return [one.operation.key for one in found.chosen]


def test_superseded_operations_are_passed_over_and_looked_at_once() -> None:
    found = page(replica(("a", b"1"), ("b", b"2"), ("a", b"3")))
    assert (keys(found), found.position) == (["b", "a"], 3)


def test_a_page_ends_before_what_has_no_room_but_is_never_empty_for_it() -> None:
    made = replica(("a", b"x" * 40), ("b", b"x" * 40), ("c", b"x" * 40))
    assert (keys(page(made, limit=2)), page(made, limit=2).position) == (["a", "b"], 2)
    assert keys(page(made, max_bytes=90)) == ["a", "b"]
    assert keys(page(made, max_bytes=1)) == ["a"]


def test_what_another_stores_cursor_knows_is_passed_over() -> None:
    made = replica(("a", b"1"), ("b", b"2"))
    found = page(made, known={made.origin: 1})
    assert (keys(found), found.position) == (["b"], 2)


def test_a_cursor_has_expired_when_deletes_behind_it_are_forgotten() -> None:
    facts: dict[str, Any] = {"horizon": {"eu:store.aaaa": 4}, "horizon_position": 7}
    assert is_expired(6, {}, **facts)
    assert not is_expired(7, {}, **facts)
    assert is_expired(None, {"eu:store.aaaa": 3}, **facts)
    assert not is_expired(None, {"eu:store.aaaa": 4}, **facts)


def sent_twice() -> tuple[Replica, list[LogRow]]:
    """One event in eu and in us; eu has got that of us first."""
    here, there = Replica("eu", plan()), Replica("us", plan())
    asked: dict[str, Any] = {"op_id": OpId("desk", 1), "request": b"r"}
    there.write(b"v", now=1000.0, **asked)
    here.write(b"v", now=1000.0, **asked)
    here.pull_from(there, now=1000.0)
    order = [here.log[there.origin][0], here.log[here.origin][0]]
    rows = [
        LogRow(at, one.operation.origin, one.operation.seq, one.sealed.head, 1) for at, one in enumerate(order, start=1)
    ]
    return here, rows


@pytest.mark.parametrize(
    ("behind", "known", "positions"),
    [
        (0, {}, [1]),
        (1, {}, []),
        (0, {"us:store.aaaa": 1}, []),
        (0, {"eu:store.aaaa": 1}, []),
    ],
)
def test_an_event_that_was_sent_to_two_regions_is_told_once(
    behind: int, known: dict[str, int], positions: list[int]
) -> None:
    made, rows = sent_twice()
    places = {(row.origin, row.seq): row.position for row in rows}
    found = choose(
        rows[behind:], made.state, position_of=places.get, known=known, position=behind, limit=10, max_bytes=1000
    )
    assert [one.row.position for one in found.chosen] == positions
    assert found.position == 2
    assert {one.version for one in found.chosen} <= {f"1@{made.origin}"}, "by the name that the key shows"


def test_an_event_whose_other_operation_is_not_in_this_log_is_told() -> None:
    made, rows = sent_twice()
    found = choose(rows[1:], made.state, position_of=lambda _: None, known={}, position=1, limit=10, max_bytes=1000)
    assert [one.row.position for one in found.chosen] == [2]
