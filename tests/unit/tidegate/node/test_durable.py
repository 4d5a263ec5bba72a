"""How a small file is replaced."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tidegate.node.durable import write_atomically


def test_the_new_content_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_atomically(path, b"old and longer")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]


def test_a_reader_that_opened_the_old_one_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_atomically(path, b"old")
    with path.open("rb") as reader:
        write_atomically(path, b"new")
        assert reader.read() == b"old"


def test_it_is_for_its_owners_eyes(tmp_path: Path) -> None:
    write_atomically(tmp_path / "state.json", b"x")
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


def test_a_failure_leaves_the_old_one_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.mkdir()
    (path / "in the way").touch()
    with pytest.raises(IsADirectoryError):
        write_atomically(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]
