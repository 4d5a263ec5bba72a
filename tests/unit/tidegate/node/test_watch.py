"""Has the configuration file changed?"""

from __future__ import annotations

import os
from pathlib import Path

from tidegate.node.watch import Watch


def looks(watch: Watch, count: int = 4) -> list[bool]:
    return [watch.changed() for _ in range(count)]


def test_a_file_that_stays_is_no_news(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("a")
    assert looks(Watch(path)) == [False] * 4


def test_a_change_is_told_once_and_only_when_it_has_come_to_rest(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("a")
    watch = Watch(path)
    path.write_text("half")
    assert not watch.changed()
    path.write_text("half and half")
    assert looks(watch) == [False, True, False, False]


def test_a_rename_over_it_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("a")
    watch = Watch(path)
    (tmp_path / "new").write_text("b")
    os.utime(tmp_path / "new", ns=(0, path.stat().st_mtime_ns))
    (tmp_path / "new").rename(path)
    assert looks(watch) == [False, True, False, False]


def test_a_link_on_the_way_that_is_swapped_is_a_change(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(name)
    (tmp_path / "current").symlink_to("one")
    watch = Watch(tmp_path / "current" / "f")
    (tmp_path / "fresh").symlink_to("two")
    (tmp_path / "fresh").rename(tmp_path / "current")
    assert looks(watch) == [False, True, False, False]


def test_a_file_that_is_gone_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("a")
    watch = Watch(path)
    path.unlink()
    assert looks(watch) == [False] * 4
    path.write_text("b")
    assert looks(watch) == [False, True, False, False]


def test_what_was_read_for_another_reason_is_no_news(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("a")
    watch = Watch(path)
    path.write_text("changed")
    watch.read_now()
    assert looks(watch) == [False] * 4
