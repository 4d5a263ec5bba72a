"""An acceptor's memory in a file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from health.quorum.cells import CellsUnavailable
from health.quorum.sqlite import SqliteCells
from tests.harness.cells import check_acceptor, check_contract, shown


async def test_the_file_keeps_the_contract(tmp_path: Path) -> None:
    cells = SqliteCells(tmp_path / "acceptor.sqlite")
    await check_contract(cells)
    await cells.close()


async def test_what_was_accepted_is_there_after_a_restart(tmp_path: Path) -> None:
    first = SqliteCells(tmp_path / "acceptor.sqlite")
    incarnation = await check_acceptor(first)
    await first.close()
    again = SqliteCells(tmp_path / "acceptor.sqlite")
    known = await shown(again)
    assert (known.about.incarnation, known.registers["r"].value) == (incarnation, {"v": 1})
    await again.close()


async def test_a_damaged_file_is_a_lost_memory_and_not_a_wrong_one(tmp_path: Path) -> None:
    (tmp_path / "acceptor.sqlite").write_bytes(b"nonsense" * 1000)
    cells = SqliteCells(tmp_path / "acceptor.sqlite")
    assert (await shown(cells)).about.generation == 0
    await cells.close()


async def test_a_damaged_cell_costs_the_whole_memory(tmp_path: Path) -> None:
    first = SqliteCells(tmp_path / "acceptor.sqlite")
    incarnation = await check_acceptor(first)
    await first.close()
    raw = sqlite3.connect(tmp_path / "acceptor.sqlite")
    raw.execute("UPDATE cells SET value = x'00ff' WHERE name = 'r'")
    raw.commit()
    raw.close()
    again = SqliteCells(tmp_path / "acceptor.sqlite")
    known = await shown(again)
    assert known.about.incarnation != incarnation
    assert (known.about.generation, known.registers) == (0, {})
    await again.close()


async def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    cells = SqliteCells(tmp_path / "missing" / "acceptor.sqlite")
    with pytest.raises(CellsUnavailable, match="missing/acceptor"):
        await cells.load(None, everything=True)
    await cells.close()
