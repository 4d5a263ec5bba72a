from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sync.errors import StoreUnavailable, UnknownStream
from sync.sqlite.opening import open_store
from sync.sqlite.store import SqliteStore
from tests.harness.replicas import plan

PLANS = {
    "notes": plan("vector_clock", name="notes"),
    "settings": plan("last_write_wins", name="settings", residency_class="settings"),
    "elsewhere": plan("manual", name="elsewhere", residency_class="elsewhere", is_here=False),
}


def opened(folder: Path, reports: list[dict[str, Any]]) -> SqliteStore:
    return open_store(
        folder,
        region="eu",
        plans=PLANS,
        data_keys=[b"k" * 32],
        max_skew_s=0.5,
        max_conflict_bytes=1 << 20,
        report=lambda message, **facts: reports.append({"message": message, **facts}),
    )


async def test_each_class_that_the_region_keeps_has_a_file_of_its_own(tmp_path: Path) -> None:
    store = opened(tmp_path / "sync", [])
    try:
        assert {path.name for path in store.paths().values()} == {
            f"{PLANS[name].residency_class}.db" for name in ("notes", "settings")
        }
        assert set(store.streams()) == {"notes", "settings"}
        with pytest.raises(UnknownStream, match="not kept in this region"):
            await store.heads("elsewhere")
    finally:
        await store.close()


async def test_a_file_that_cannot_be_used_is_a_fault_of_its_class_and_is_said(tmp_path: Path) -> None:
    reports: list[dict[str, Any]] = []
    (tmp_path / "settings.db").write_bytes(b"no database" * 1000)
    store = opened(tmp_path, reports)
    try:
        assert set(store.faults) == {"settings"}
        assert store.streams() == ["notes"]
        with pytest.raises(StoreUnavailable):
            await store.heads("settings")
        assert any(one.get("residency_class") == "settings" for one in reports)
    finally:
        await store.close()
