"""Has one of these files changed?"""

from __future__ import annotations

import os
from pathlib import Path

from config.file_changes import Settling, Signature, Watch, look

A: tuple[Signature | None, ...] = ((1, 1, 1, 1),)
B: tuple[Signature | None, ...] = ((1, 2, 1, 2),)
C: tuple[Signature | None, ...] = ((1, 3, 1, 3),)


def changes(*looks: tuple[Signature | None, ...]) -> list[bool]:
    settling = Settling()
    settling.start(A)
    return [settling.has_changed(seen) for seen in looks]


def test_files_that_stay_as_they_were_have_not_changed() -> None:
    assert changes(A, A) == [False, False]


def test_a_change_is_believed_when_two_looks_agree_and_told_once() -> None:
    assert changes(B, B, B) == [False, True, False]


def test_a_change_that_goes_on_is_waited_for() -> None:
    assert changes(B, C, C) == [False, False, True]


def test_a_change_that_is_taken_back_is_none() -> None:
    assert changes(B, A, A) == [False, False, False]


def test_a_missing_file_is_a_change_to_come() -> None:
    assert changes((None,), (None,), B, B) == [False, False, False, True]


def test_a_change_back_after_it_was_told_is_another_change() -> None:
    assert changes(B, B, A, A) == [False, True, False, True]


def test_a_look_tells_content_time_and_file_apart(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    seen = [look([str(file)])]
    file.write_text("other")
    seen.append(look([str(file)]))
    os.utime(file, ns=(1, 1))
    seen.append(look([str(file)]))
    (tmp_path / "b").write_text("other")
    os.utime(tmp_path / "b", ns=(1, 1))
    (tmp_path / "b").rename(file)
    seen.append(look([str(file)]))
    assert len(set(seen)) == len(seen)


def test_a_link_is_followed_to_what_it_leads_to_now(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    link = tmp_path / "link"
    link.symlink_to("one")
    before = look([str(link / "file")])
    link.unlink()
    link.symlink_to("two")
    assert look([str(link / "file")]) != before
    link.unlink()
    assert look([str(link / "file")]) == (None,)


def looks(watch: Watch, count: int = 4) -> list[bool]:
    return [watch.has_changed() for _ in range(count)]


def test_a_file_that_stays_is_no_news(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("a")
    assert looks(Watch([str(path)])) == [False] * 4


def test_a_change_is_told_once_and_only_when_it_has_come_to_rest(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("a")
    watch = Watch([str(path)])
    path.write_text("half")
    assert not watch.has_changed()
    path.write_text("half and half")
    assert looks(watch) == [False, True, False, False]


def test_a_rename_over_it_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("a")
    watch = Watch([str(path)])
    (tmp_path / "new").write_text("b")
    os.utime(tmp_path / "new", ns=(0, path.stat().st_mtime_ns))
    (tmp_path / "new").rename(path)
    assert looks(watch) == [False, True, False, False]


def test_a_link_on_the_way_that_is_swapped_is_a_change(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(name)
    (tmp_path / "current").symlink_to("one")
    watch = Watch([str(tmp_path / "current" / "f")])
    (tmp_path / "fresh").symlink_to("two")
    (tmp_path / "fresh").rename(tmp_path / "current")
    assert looks(watch) == [False, True, False, False]


def test_a_file_that_is_gone_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("a")
    watch = Watch([str(path)])
    path.unlink()
    assert looks(watch) == [False] * 4
    path.write_text("b")
    assert looks(watch) == [False, True, False, False]


def test_what_was_read_for_another_reason_is_no_news(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("a")
    watch = Watch([str(path)])
    path.write_text("changed")
    watch.read_now()
    assert looks(watch) == [False] * 4
