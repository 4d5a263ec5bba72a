from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sync.core.plans import CollectionPlan
from sync.errors import StoreFull, StoreUnavailable
from sync.sqlite.file import start_over
from sync.sqlite.opening import open_store
from sync.sqlite.store import TAIL, TAIL_BYTES, SqliteStore
from sync.store import Store
from tests.harness.replicas import plan
from tests.integration.sync.store_contract import (
    NOTES,
    NOW,
    SETTINGS,
    Make,
    StoreContract,
    put,
    values,
    wrote,
)

SECRET = b"canary-0451-canary"


def plans(**changes: Any) -> dict[str, CollectionPlan]:
    return {
        NOTES: plan("vector_clock", name=NOTES, **changes),
        SETTINGS: plan("last_write_wins", name=SETTINGS, residency_class="settings"),
        "elsewhere": plan("manual", name="elsewhere", residency_class="elsewhere", is_here=False),
    }


Open = Callable[..., SqliteStore]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    stores: list[SqliteStore] = []

    def open_one(region: str = "eu", *, keys: tuple[bytes, ...] = (b"k" * 32,), **changes: Any) -> SqliteStore:
        reports: list[tuple[str, dict[str, Any]]] = []
        store = open_store(
            tmp_path / region,
            region=region,
            plans=plans(**changes),
            data_keys=keys,
            max_skew_s=0.5,
            max_conflict_bytes=1 << 20,
            report=lambda message, **facts: reports.append((message, facts)),
        )
        stores.append(store)
        return store

    yield open_one
    for store in stores:
        await store.close()


@pytest.fixture
async def make(opened: Open) -> Make:
    async def made(region: str, **changes: Any) -> Store:
        return opened(region, **changes)

    return made


class TestContract(StoreContract):
    """The embedded store passes the contract."""


async def test_everything_is_there_after_a_restart_and_the_origin_goes_on(opened: Open, tmp_path: Path) -> None:
    store = opened()
    await wrote(store, put("k", b"v"))
    origin = store.origin(NOTES)
    await store.close()
    again = opened()
    assert again.origin(NOTES) == origin
    assert await values(again, "k") == [b"v"]
    (written,) = await wrote(again, put("l", b"w"), now=NOW - 3600)
    assert written.seq == 2
    record = await again.read(NOTES, "k")
    assert record is not None
    assert written.hlc > record.state.hlc()


async def test_a_file_put_back_from_a_backup_gets_a_new_incarnation(opened: Open, tmp_path: Path) -> None:
    store = opened()
    await wrote(store, put("k", b"1"))
    await store.close()
    path = tmp_path / "eu" / "note.db"
    backup = path.read_bytes()
    store = opened()
    origin = store.origin(NOTES)
    await wrote(store, put("k", b"2"))
    await store.close()
    path.write_bytes(backup)  # in place: even the inode is the same
    assert opened().origin(NOTES) != origin


async def test_a_copy_of_the_folder_is_another_store(opened: Open, tmp_path: Path) -> None:
    store = opened()
    await wrote(store, put("k", b"1"))
    await store.close()
    (tmp_path / "eu").rename(tmp_path / "original")
    (tmp_path / "eu").mkdir()
    for file in (tmp_path / "original").iterdir():
        (tmp_path / "eu" / file.name).write_bytes(file.read_bytes())
    again = opened()
    assert again.origin(NOTES).partition(".")[0] != store.origin(NOTES).partition(".")[0]
    assert await values(again, "k") == [b"1"]


async def test_a_damaged_file_costs_its_class_only_and_can_be_started_over(opened: Open, tmp_path: Path) -> None:
    store = opened()
    await wrote(store, *(put(f"k{at}", b"v" * 500) for at in range(200)), put("s", b"1", SETTINGS))
    await store.close()
    path = tmp_path / "eu" / "note.db"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 40960)
    again = opened()
    with pytest.raises(StoreUnavailable, match="damaged"):
        await again.read(NOTES, "k1")
    assert await values(again, "s", SETTINGS) == [b"1"]
    await again.close()
    aside = start_over(path, suffix="damaged")
    assert aside.exists()
    fresh = opened()
    assert fresh.origin(NOTES) != store.origin(NOTES)
    await wrote(fresh, put("k", b"new"))


async def test_a_full_disk_refuses_writes_while_reads_go_on_and_ends_without_a_restart(opened: Open) -> None:
    store = opened()
    await wrote(store, put("k", b"v"))
    connection = store._files["note"].ledger.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFull, match="no room"):
        await wrote(store, put("big", b"x" * 100_000))
    assert await values(store, "k") == [b"v"]
    assert await values(store, "big") == []
    await wrote(store, put("s", b"1", SETTINGS))
    connection.execute("PRAGMA max_page_count = 1000000")
    (written,) = await wrote(store, put("big", b"x" * 100_000))
    assert written.seq == 2


async def test_who_follows_a_stream_closely_gets_a_little_at_once_and_all_in_the_end(opened: Open) -> None:
    store, origin = opened(), ""
    cursor = await store.cursor(NOTES)
    have: dict[str, int] = {}
    for number in range(TAIL):
        (written,) = await wrote(store, put(f"k{number}", bytes(TAIL_BYTES // 4)))
        origin = written.origin
    pages, answers = [], []
    while (page := await store.changes(NOTES, cursor, limit=1000, max_bytes=1 << 30)).changes:
        pages.append(len(page.changes))
        cursor = page.next
    while sealed := await store.operations_after(NOTES, have, max_operations=1000, max_bytes=1 << 30):
        answers.append(len(sealed))
        have[origin] = have.get(origin, 0) + len(sealed)
    assert (sum(pages), sum(answers)) == (TAIL, TAIL)
    assert max(*pages, *answers) <= 4


async def test_values_that_must_be_encrypted_lie_nowhere_in_the_clear(opened: Open, tmp_path: Path) -> None:
    store = opened(is_encrypted=True)
    await wrote(store, put("k", SECRET))
    assert await values(store, "k") == [SECRET]
    files = [file.read_bytes() for file in (tmp_path / "eu").iterdir()]
    assert not any(SECRET in content for content in files)
    await store.close()
    rotated = opened(is_encrypted=True, keys=(b"new" * 10, b"k" * 32))
    assert await values(rotated, "k") == [SECRET]
    await rotated.close()
    keyless = opened(is_encrypted=True, keys=(b"new" * 10,))
    with pytest.raises(StoreUnavailable, match="data key that is not configured"):
        await keyless.read(NOTES, "k")


async def test_values_from_before_encryption_was_required_are_encrypted_when_it_is(
    opened: Open, tmp_path: Path
) -> None:
    plain = opened()
    await wrote(plain, put("k", SECRET))
    await plain.close()
    assert SECRET in (tmp_path / "eu" / "note.db").read_bytes()
    store = opened(is_encrypted=True)
    assert await values(store, "k") == [SECRET]
    await store.close()
    assert not any(SECRET in file.read_bytes() for file in (tmp_path / "eu").iterdir())


async def test_a_value_moved_to_another_operation_on_disk_is_noticed(opened: Open, tmp_path: Path) -> None:
    store = opened(is_encrypted=True)
    await wrote(store, put("a", b"1"), put("b", b"2"))
    await store.close()
    with closing(sqlite3.connect(tmp_path / "eu" / "note.db")) as connection:
        connection.execute("UPDATE log SET value = (SELECT value FROM log WHERE seq = 1) WHERE seq = 2")
        connection.commit()
    again = opened(is_encrypted=True)
    assert await values(again, "a") == [b"1"]
    with pytest.raises(StoreUnavailable, match="altered on disk"):
        await again.read(NOTES, "b")


async def test_conflict_records_and_idempotency_keys_go_by_age(opened: Open) -> None:
    here, there = opened("eu"), opened("us")
    await wrote(here, put("k", b"early", SETTINGS))
    await wrote(there, put("k", b"late", SETTINGS), now=NOW + 0.1)
    operations = await there.operations_after(SETTINGS, {}, max_operations=10, max_bytes=1 << 20)
    await here.receive(SETTINGS, operations, now=NOW + 1)
    await here.expire(conflicts_before_ms=int(NOW * 1000), now=NOW)
    assert len(await here.conflict_log(SETTINGS, after=None, limit=10)) == 1
    await here.expire(conflicts_before_ms=int((NOW + 5) * 1000), now=NOW + 5)
    assert await here.conflict_log(SETTINGS, after=None, limit=10) == []
    assert await here.prune(SETTINGS, (await here.heads(SETTINGS)).applied, keep=0) == 1
