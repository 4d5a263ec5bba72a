from __future__ import annotations

import os
from pathlib import Path

from gateway.tls.files import Settling, Signature, look

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
