"""What a sync process says of itself, over a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sync.core.writes import Write
from sync.sqlite.opening import open_store
from sync.sqlite.store import SqliteStore
from tests.harness.replicas import STREAM, plan
from tidegate.node.logs import silent
from tidegate.node.sync_status import SyncStatus
from tidegate.node.tasks import Tasks


@asynccontextmanager
async def standing(tmp_path: Path) -> AsyncIterator[tuple[SqliteStore, SyncStatus]]:
    store = open_store(
        tmp_path / "sync",
        region="eu",
        plans={STREAM: plan()},
        data_keys=(b"k" * 32,),
        max_skew_s=0.5,
        max_conflict_bytes=1 << 20,
        report=lambda event, **facts: None,
    )
    tasks, status = Tasks(silent()), SyncStatus(store)
    status.start(tasks)
    try:
        yield store, status
    finally:
        await tasks.close()
        await store.close()


def write(key: str) -> Write:
    return Write(stream=STREAM, key=key, kind="put", value=b"v")


async def test_it_counts_what_was_written_and_what_is_there(tmp_path: Path) -> None:
    async with standing(tmp_path) as (store, asked):
        await store.write([write(key) for key in ("a", "b", "a")], now=1000.0)
        status = await asked.status()
        (line,) = status.collections
        assert (line.collection, line.written, line.arrived, line.keys, line.held) == (STREAM, 3, 0, 2, 0)
        assert (status.peers, status.lag) == ([], [])
        assert status.member.startswith("eu:")


async def test_progress_waits_until_there_is_some(tmp_path: Path) -> None:
    async with standing(tmp_path) as (store, asked):
        first = await asked.progress("")
        found, _ = await asyncio.gather(asked.progress(str(first.count)), store.write([write("a")], now=1000.0))
        assert found.count > first.count
        (own,) = found.members
        assert own.member == found.own
        assert own.applied == {STREAM: {store.origin(STREAM): 1}}
        of_another_run = await asked.progress("12345")
        assert of_another_run.count == found.count
