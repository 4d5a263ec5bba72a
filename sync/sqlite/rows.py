"""Many rows in few statements.

Each step of a statement lets go of the interpreter, and has to get it back from a loop that is busy with other
requests: a commit of 24 writes, a step a row, waited for it some 80 times, which took longer than the commit itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final, TypeVar

SIZES: Final = (64, 16, 4, 1)
"""Rows in a statement: few different statements, so that each is prepared once."""

Row = TypeVar("Row")


def insert(connection: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """`into`: all of the statement before VALUES. The rows are equally long."""
    for part in _parts(rows):
        connection.execute(_insert(into, len(part[0]), len(part)), tuple(chain.from_iterable(part)))


def select(connection: sqlite3.Connection, what: str, given: tuple[Any, ...], keys: Sequence[Any]) -> Iterator[Any]:
    """`what`: all of the statement before the list of keys, with places for `given`."""
    for part in _parts(keys):
        yield from connection.execute(f"{what} ({', '.join('?' * len(part))})", (*given, *part))


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    start, left = 0, len(rows)
    while left:
        size = next(size for size in SIZES if size <= left)
        yield rows[start : start + size]
        start, left = start + size, left - size


@lru_cache(64)
def _insert(into: str, width: int, count: int) -> str:
    row = f"({', '.join('?' * width)})"
    return f"{into} VALUES {', '.join([row] * count)}"
