"""One node's file: durable, fenced, and not to be brought down by what stands in it."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from health.core.rows import Conflict, NotStorable, StaleEpoch, Unavailable
from health.state import embedded
from health.state.embedded import EmbeddedStore


def opened(path: Path) -> EmbeddedStore:
    return EmbeddedStore(path, owner="a/1", clock=lambda: 1.0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    made = opened(tmp_path / "state.sqlite")
    yield made
    await made.close()


async def test_rows_and_the_fence_are_there_again_after_a_restart(tmp_path: Path) -> None:
    first = opened(tmp_path / "state.sqlite")
    await first.put("drain", "eu", {"over_s": 60}, expected=0)
    await first.put("drain", "us", {}, expected=0)
    await first.delete("drain", "us", expected=1)
    await first.raise_fence(5)
    await first.close()
    again = opened(tmp_path / "state.sqlite")
    assert [(row.key, row.value, row.version) for row in again.rows("drain")] == [("eu", {"over_s": 60}, 1)]
    with pytest.raises(StaleEpoch):
        await again.put("decision", "1", {}, expected=0, epoch=4)
    assert (await again.put("drain", "us", {}, expected=0)).version == 3
    await again.close()


async def test_of_two_writers_with_one_version_one_wins(store: EmbeddedStore) -> None:
    await store.put("drain", "eu", {"n": 0}, expected=0)
    outcomes = await asyncio.gather(
        *(store.put("drain", "eu", {"n": number}, expected=1) for number in range(8)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7
    row = store.row("drain", "eu")
    assert row is not None
    assert row.version == 2


async def test_an_act_of_an_older_leader_is_refused_on_every_row(store: EmbeddedStore) -> None:
    await store.put("decision", "1", {}, expected=0, epoch=7)
    with pytest.raises(StaleEpoch, match="found the epoch 7 in the store, expected at most 6"):
        await store.put("other", "x", {}, expected=0, epoch=6)
    with pytest.raises(StaleEpoch):
        await store.raise_fence(6)
    assert (await store.put("other", "x", {}, expected=0)).epoch == 0


async def test_whoever_waits_hears_of_a_change(store: EmbeddedStore) -> None:
    waiting = asyncio.ensure_future(store.changed(store.revision))  # noqa: TID251 - a test's own task
    await asyncio.sleep(0)
    assert not waiting.done()
    await store.put("drain", "eu", {}, expected=0)
    assert await waiting == store.revision


async def test_a_writer_that_gives_up_leaves_the_copy_as_true_as_the_file(store: EmbeddedStore) -> None:
    writing = asyncio.ensure_future(store.put("drain", "eu", {}, expected=0))  # noqa: TID251 - a test's own task
    await asyncio.sleep(0)
    writing.cancel()
    await store.changed(0)
    assert store.row("drain", "eu") is not None


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("format", 2, "found format 2, expected at most 1: a newer version wrote it"),
        ("value", b"\xff\x00", "found a value that cannot be read"),
        ("value", b"[1]", "found a value that cannot be read"),
        ("version", "many", "found version 'many', expected 1 or more"),
        ("epoch", 10**12, "found epoch 1000000000000, expected at most 0, the highest that has acted"),
    ],
    ids=["newer version", "corrupt value", "value of another shape", "corrupt version", "future epoch"],
)
async def test_a_row_that_cannot_be_used_is_contained(tmp_path: Path, column: str, value: object, reason: str) -> None:
    first = opened(tmp_path / "state.sqlite")
    await first.put("drain", "eu", {}, expected=0)
    await first.put("drain", "us", {}, expected=0)
    await first.close()
    with sqlite3.connect(tmp_path / "state.sqlite") as raw:
        raw.execute(f"UPDATE rows SET {column} = ? WHERE key = 'eu'", (value,))  # noqa: S608 - our own column names
    raw.close()
    store = opened(tmp_path / "state.sqlite")
    assert [row.key for row in store.rows("drain")] == ["us"]
    assert reason in str(store.troubles()[0])
    with pytest.raises(Conflict, match="expected a program that understands it"):
        await store.put("drain", "eu", {}, expected=None)
    await store.put("drain", "us", {}, expected=1, epoch=3)
    await store.close()


async def test_a_damaged_file_is_set_aside_and_the_node_starts_with_none(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    store = opened(path)
    assert store.set_aside == tmp_path / "state.sqlite.damaged-1"
    assert store.set_aside.read_bytes().startswith(b"not a database")
    await store.put("drain", "eu", {}, expected=0)
    await store.close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="expected a file that this user may write"):
        opened(tmp_path / "missing" / "state.sqlite")


async def test_a_journal_without_end_is_stopped(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MAX_ROWS", 2)
    await store.put("journal", "1", {}, expected=0)
    await store.put("journal", "2", {}, expected=0)
    with pytest.raises(NotStorable, match="a journal must reuse its keys"):
        await store.put("journal", "3", {}, expected=0)
    await store.put("journal", "1", {"again": True}, expected=1)


def test_what_was_written_survives_kill_9_right_after_the_answer(tmp_path: Path) -> None:
    program = f"""
import asyncio, os, signal
from pathlib import Path
from health.state.embedded import EmbeddedStore
async def main():
    store = EmbeddedStore(Path({str(tmp_path / "state.sqlite")!r}), owner="a", clock=lambda: 1.0)
    for number in range(20):
        await store.put("drain", str(number), {{"n": number}}, expected=0, epoch=number + 1)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    died = subprocess.run([sys.executable, "-c", program], check=False, timeout=60, env={**os.environ})
    assert died.returncode == -signal.SIGKILL

    async def read_again() -> int:
        store = opened(tmp_path / "state.sqlite")
        assert store.troubles() == ()
        await store.close()
        return len(store.rows("drain"))

    assert asyncio.run(read_again()) == 20
