from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from sync.sqlite import rows
from sync.sqlite.rows import SIZES


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as opened:
        opened.execute("CREATE TABLE t (a INTEGER, b TEXT PRIMARY KEY)")
        yield opened


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 20, 21, 84, 85, 1000])
def test_all_rows_are_written_once_and_in_order(connection: sqlite3.Connection, count: int) -> None:
    given = [(number, f"k{number}") for number in range(count)]
    rows.insert(connection, "INSERT INTO t (a, b)", given)
    assert connection.execute("SELECT a, b FROM t ORDER BY rowid").fetchall() == given


@pytest.mark.parametrize("count", [0, 1, 7, 100])
def test_only_the_keys_that_are_there_are_found(connection: sqlite3.Connection, count: int) -> None:
    rows.insert(connection, "INSERT INTO t", [(number % 2, f"k{number}") for number in range(count)])
    asked = [f"k{number}" for number in range(count + 3)]
    found = dict(rows.select(connection, "SELECT b, a FROM t WHERE a = ? AND b IN", (1,), asked))
    assert found == {f"k{number}": 1 for number in range(count) if number % 2}


def test_a_row_that_replaces_another_of_the_same_call_is_the_one_that_stays(connection: sqlite3.Connection) -> None:
    rows.insert(connection, "INSERT OR REPLACE INTO t", [(number, "k") for number in range(70)])
    assert connection.execute("SELECT a, b FROM t").fetchall() == [(69, "k")]


def test_a_few_statements_carry_many_rows(connection: sqlite3.Connection) -> None:
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    rows.insert(connection, "INSERT INTO t", [(number, f"k{number}") for number in range(3 * SIZES[0])])
    assert sum(statement.startswith("INSERT") for statement in statements) == 3
