"""Backups of a real store: whole folders, by order and by the calendar, and old ones removed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from config.models.failover import Backup
from sync.backup import read_head
from tests.harness.data_api import DataApi
from tidegate.node.backups import BackupFailed, Backups
from tidegate.node.logs import silent

NOW = 1_700_000_000.0


def backups_of(api: DataApi, folder: Path, *, schedule: str = "0 4 * * *", wall: float = NOW) -> Backups:
    facts = {"schedule": schedule, "retention": "2h", "encryption_key": "env:KEY", "path": str(folder)}
    settings = Backup.model_validate(facts)
    return Backups(api.store, settings, key=b"key", log=silent(), wall=lambda: wall)


async def test_a_backup_is_a_folder_of_all_classes_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        await api.put("notes", "k", b"v")
        backups = backups_of(api, tmp_path / "backups")
        report = await backups.run()
        assert report.classes == ["form", "note", "settings"]
        (folder,) = (tmp_path / "backups").iterdir()
        assert str(folder) == report.folder
        assert folder.name.startswith("20231114T221320Z-eu-")
        assert sorted(path.name for path in folder.iterdir()) == ["form.backup", "note.backup", "settings.backup"]
        assert read_head(folder / "note.backup").streams == {"notes": 1}
        assert not list((tmp_path / "sync").glob(".backup*"))
        assert (backups.state.running, backups.state.last) == (False, report)


async def test_old_backups_go_and_the_newest_and_what_is_not_ours_stay(tmp_path: Path) -> None:
    root = tmp_path / "backups"
    async with DataApi(tmp_path) as api:
        await api.put("notes", "k", b"v")
        first = await backups_of(api, root, wall=NOW).run()
        second = await backups_of(api, root, wall=NOW + 5000).run()
        (root / "20010101T000000Z-us-other").mkdir()
        third = await backups_of(api, root, wall=NOW + 10_000).run()
        assert third.removed == [Path(first.folder).name]
        left = {path.name for path in root.iterdir()}
        assert left == {Path(second.folder).name, Path(third.folder).name, "20010101T000000Z-us-other"}


async def test_a_backup_that_fails_says_why_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    root = tmp_path / "backups"
    root.write_text("in the way")
    async with DataApi(tmp_path) as api:
        backups = backups_of(api, root)
        with pytest.raises(BackupFailed):
            await backups.run()
        assert backups.state.problem
        root.unlink()
        await backups.run()
        assert backups.state.problem == ""


async def test_the_calendar_begins_one_at_its_moment(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        await api.put("notes", "k", b"v")
        backups = backups_of(api, tmp_path / "backups", schedule="0 4 * * *")
        task = asyncio.get_running_loop().create_task(backups.keep())
        await asyncio.sleep(0)
        assert backups.state.next_at is not None
        assert 0 < backups.state.next_at - NOW < 86400
        assert (backups.state.next_at % 86400) == 4 * 3600
        assert backups.state.last is None
        task.cancel()
