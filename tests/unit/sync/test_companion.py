from __future__ import annotations

from pathlib import Path

from sync.companion import confirm_opening, openings, write_durably


def test_openings_are_counted_beside_the_data(tmp_path: Path) -> None:
    assert openings(tmp_path / "note.db") == 0
    confirm_opening(tmp_path / "note.db", 3)
    assert openings(tmp_path / "note.db") == 3
    (tmp_path / "note.opened").write_text("garbage")
    assert openings(tmp_path / "note.db") == 0


def test_a_small_file_is_replaced_whole_and_told_its_inode(tmp_path: Path) -> None:
    path = tmp_path / "store"
    for word in ("one", "two"):
        write_durably(path, lambda inode, word=word: f"{word} {inode}")  # type: ignore[misc]
    assert path.read_text() == f"two {path.stat().st_ino}"
    assert [one.name for one in tmp_path.iterdir()] == ["store"]
