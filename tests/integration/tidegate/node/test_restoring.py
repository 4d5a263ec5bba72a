"""A backup is put back whole or not at all, only where it may be, and what was there is never lost."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.loader import load_text
from config.models import Config
from sync.backup import BackupUnusable
from sync.sqlite.opening import open_store
from sync.sqlite.store import SqliteStore
from tests.integration.sync.store_contract import put, values, wrote
from tidegate.node.backups import Backups
from tidegate.node.logs import silent
from tidegate.node.restoring import RestoreRefused, drill, restore

ENVIRON = {"BACKUP_KEY": "secret", "DATA_KEY": "data key"}
NOW = 1_700_000_000.0


def config_in(tmp_path: Path, **changes: Any) -> Config:
    document = {
        "version": 1,
        "node": {"region": "eu", "data_dir": str(tmp_path / "data")},
        "secrets": {"data_keys": ["env:DATA_KEY"]},
        "regions": [{"id": "eu"}, {"id": "us"}],
        "services": [{"id": "api", "endpoints": [{"region": "eu", "address": "127.0.0.1:1"}]}],
        "routes": [{"id": "all", "match": {"path": "/*"}, "service": "api"}],
        "residency": {
            "rules": [
                {"data_type": "note", "allowed_regions": "*", "encryption": "required"},
                {"data_type": "card", "allowed_regions": ["eu"]},
            ]
        },
        "sync": {
            "collections": [
                {"name": "notes", "data_type": "note", "conflict": "vector_clock"},
                {"name": "cards", "data_type": "card", "conflict": "last_write_wins"},
            ]
        },
        "disaster_recovery": {
            "backup": {
                "schedule": "0 4 * * *",
                "encryption_key": "env:BACKUP_KEY",
                "path": str(tmp_path / "backups"),
            }
        },
        **changes,
    }
    text = yaml.safe_dump(document)
    return load_text(text, file=tmp_path / "tidegate.yaml", environ=ENVIRON).config


def opened(config: Config, reports: list[Any] | None = None) -> SqliteStore:
    from sync.core.plans import compile_plans  # noqa: PLC0415 - beside its use

    assert config.sync is not None
    return open_store(
        Path(config.node.data_dir) / "sync",
        region="eu",
        plans=compile_plans(config, now=NOW),
        data_keys=[b"data key"],
        max_skew_s=0.5,
        max_conflict_bytes=1 << 20,
        report=lambda message, **facts: reports.append(facts) if reports is not None else None,
    )


def quiet(name: str, what: str, done: int, of: int) -> None:
    """Nobody looks."""


@pytest.fixture
async def backup(tmp_path: Path) -> Path:
    """Of a store with two notes and a card; after it, one note more."""
    config = config_in(tmp_path)
    assert config.disaster_recovery is not None
    assert config.disaster_recovery.backup is not None
    store = opened(config)
    await wrote(store, put("a", b"1"), put("b", b"2"), put("c", b"3", "cards"), now=NOW)
    backups = Backups(store, config.disaster_recovery.backup, key=b"secret", log=silent(), wall=lambda: NOW)
    report = await backups.run()
    await wrote(store, put("late", b"4"), now=NOW)
    await store.close()
    return Path(report.folder)


async def test_what_was_backed_up_is_back_under_a_new_incarnation_and_the_rest_is_put_aside(
    tmp_path: Path, backup: Path
) -> None:
    config = config_in(tmp_path)
    steps: list[tuple[str, str]] = []
    done = restore(config, backup, environ=ENVIRON, progress=lambda name, what, *_: steps.append((name, what)))
    assert [(one.residency_class, one.keys) for one in done] == [("card", 1), ("note", 2)]
    assert {what for _, what in steps} == {"decrypt", "verify"}
    aside = [one.put_aside for one in done if one.put_aside is not None]
    assert len(aside) == 2
    assert all(os.path.exists(path) for path in aside)  # noqa: ASYNC240, PTH110 - a test may wait
    reports: list[Any] = []
    store = opened(config, reports)
    assert await values(store, "a") == [b"1"]
    assert await values(store, "late") == []
    assert [facts["because"] for facts in reports] == ["a copy of the file, or one that was put back"] * 2
    (written,) = await wrote(store, put("new", b"5"), now=NOW)
    assert written.seq == 1
    await store.close()
    assert not list((tmp_path / "data" / "sync").glob(".drill-*"))


async def test_a_lost_disk_is_restored_too(tmp_path: Path, backup: Path) -> None:
    shutil.rmtree(tmp_path / "data" / "sync")
    config = config_in(tmp_path)
    assert [one.put_aside for one in restore(config, backup, environ=ENVIRON, progress=quiet)] == [None, None]
    store = opened(config)
    assert await values(store, "c", "cards") == [b"3"]
    await store.close()


async def test_a_drill_changes_nothing_beside_a_running_store(tmp_path: Path, backup: Path) -> None:
    config = config_in(tmp_path)
    store = opened(config)
    before = sorted(path.name for path in (tmp_path / "data" / "sync").iterdir())
    done = drill(config, backup, environ=ENVIRON, progress=quiet)
    assert [(one.residency_class, one.values, one.put_aside) for one in done] == [("card", 1, None), ("note", 2, None)]
    assert sorted(path.name for path in (tmp_path / "data" / "sync").iterdir()) == before
    assert await values(store, "late") == [b"4"]
    await store.close()


async def test_it_is_refused_while_a_node_runs_and_where_the_class_may_not_be(tmp_path: Path, backup: Path) -> None:
    config = config_in(tmp_path)
    lock = os.open(tmp_path / "data" / "sync" / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(RestoreRefused, match="a node is running"):
        restore(config, backup, environ=ENVIRON, progress=quiet)
    os.close(lock)
    moved = config_in(tmp_path, node={"region": "us", "data_dir": str(tmp_path / "data")})
    with pytest.raises(RestoreRefused, match="was made in eu, expected a backup of us"):
        restore(moved, backup, environ=ENVIRON, progress=quiet)
    rules = [
        {"data_type": "note", "allowed_regions": "*", "encryption": "required"},
        {"data_type": "card", "allowed_regions": ["us"]},
    ]
    narrowed = config_in(tmp_path, residency={"rules": rules})
    with pytest.raises(RestoreRefused, match="class card may not be held in eu"):
        restore(narrowed, backup, environ=ENVIRON, progress=quiet)


async def test_one_bad_class_leaves_all_of_them_as_they_were(tmp_path: Path, backup: Path) -> None:
    config = config_in(tmp_path)
    damaged = bytearray((backup / "note.backup").read_bytes())
    damaged[-20] ^= 1
    (backup / "note.backup").write_bytes(damaged)
    before = sorted(path.name for path in (tmp_path / "data" / "sync").iterdir())
    for work in (restore, drill):
        with pytest.raises(BackupUnusable):
            work(config, backup, environ=ENVIRON, progress=quiet)
    with pytest.raises(BackupUnusable, match="this key does not open"):
        restore(config, backup, environ={**ENVIRON, "BACKUP_KEY": "wrong"}, progress=quiet)
    with pytest.raises(RestoreRefused, match="holds no backup"):
        restore(config, tmp_path, environ=ENVIRON, progress=quiet)
    left = {path.name for path in (tmp_path / "data" / "sync").iterdir()} - {"lock"}
    assert left == set(before) - {"lock"}
    store = opened(config)
    assert await values(store, "late") == [b"4"]
    await store.close()
