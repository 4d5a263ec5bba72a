"""Lines that are whole after a torn one, in files that stay bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.node.journal_files import MAX_FILE_BYTES, JournalFiles


def test_lines_are_read_in_their_order_also_after_one_that_a_crash_cut_short(tmp_path: Path) -> None:
    files = JournalFiles(tmp_path)
    files.append(b"one\n")
    with (tmp_path / "decisions.jsonl").open("ab") as torn:
        torn.write(b"tw")
    files.append(b"three\n")
    assert list(JournalFiles(tmp_path).read()) == [b"one", b"tw", b"three"]


def test_a_full_file_becomes_the_older_one(tmp_path: Path) -> None:
    files = JournalFiles(tmp_path)
    files.append(b"a" * MAX_FILE_BYTES + b"\n")
    files.append(b"b\n")
    assert [line[:1] for line in files.read()] == [b"a", b"b"]
    assert (tmp_path / "decisions.jsonl").read_bytes() == b"b\n"


def test_what_cannot_be_read_is_said_after_what_can(tmp_path: Path) -> None:
    (tmp_path / "decisions.1.jsonl").mkdir()
    files = JournalFiles(tmp_path)
    files.append(b"one\n")
    lines = iter(files.read())
    assert next(lines) == b"one"
    with pytest.raises(IsADirectoryError):
        next(lines)
