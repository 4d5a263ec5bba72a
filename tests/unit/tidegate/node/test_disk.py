"""What a node remembers over a restart."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from gateway.messages import EndpointState
from health.core.verdict import EndpointVerdict, to_saved
from tidegate.node.disk import Disk, LastGood, SavedVerdicts
from tidegate.node.logs import Log, silent

FILE = Path("/etc/tidegate/tidegate.yaml")
VERDICT = EndpointVerdict("api/eu/h:1", "api", "eu", "down", "connection refused", 12.5)


def test_the_last_good_text_comes_back_for_its_own_file(tmp_path: Path) -> None:
    disk = Disk(tmp_path, silent())
    record = LastGood(str(FILE), "version: 1\n", "digest", 1.0)
    disk.save_last_good(record)
    assert disk.last_good(FILE) == record


def test_the_last_good_text_of_another_file_is_none(tmp_path: Path) -> None:
    disk = Disk(tmp_path, silent())
    disk.save_last_good(LastGood(str(FILE), "version: 1\n", "digest", 1.0))
    assert disk.last_good(Path("/elsewhere.yaml")) is None


def test_verdicts_come_back_and_become_what_a_publication_says(tmp_path: Path) -> None:
    disk = Disk(tmp_path, silent())
    record = SavedVerdicts(7, "digest", to_saved({VERDICT.endpoint: VERDICT}), {"eu": 0.01})
    disk.save_verdicts(record)
    saved = disk.verdicts()
    assert saved == record
    assert saved is not None
    assert saved.states() == {"api/eu/h:1": EndpointState("down", "connection refused")}


def test_verdicts_of_another_shape_leave_everything_untested() -> None:
    assert SavedVerdicts(7, "digest", {"api/eu/h:1": {"colour": "blue"}}).states() == {}


def test_nothing_saved_is_none_and_no_news(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []
    disk = Disk(tmp_path, Log(lines.append))
    assert disk.last_good(FILE) is None
    assert disk.verdicts() is None
    assert lines == []


def test_a_damaged_file_is_said_and_passed_over(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []
    (tmp_path / "verdicts.json").write_bytes(b'{"version": 1')
    assert Disk(tmp_path, Log(lines.append)).verdicts() is None
    assert [line["level"] for line in lines] == ["warning"]


def test_only_the_owner_may_read_what_is_saved(tmp_path: Path) -> None:
    Disk(tmp_path, silent()).save_last_good(LastGood(str(FILE), "", "", 0.0))
    assert stat.S_IMODE((tmp_path / "last-good.json").stat().st_mode) == 0o600
