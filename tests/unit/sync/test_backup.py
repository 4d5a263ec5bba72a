"""A backup opens with its key and is whole, or it says why it is not and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.backup import FORMAT, FRAME_BYTES, BackupUnusable, Head, read_head, seal, unseal

KEY = b"operator's secret"


def quiet(done: int, of: int) -> None:
    """Nobody looks."""


def sealed(tmp_path: Path, content: bytes, *, key: bytes = KEY) -> Path:
    source, target = tmp_path / "content", tmp_path / "a.backup"
    source.write_bytes(content)
    target.unlink(missing_ok=True)
    head = Head(FORMAT, "eu", "eu:store1", "note", 1000.0, len(content), b"s" * 16, {"notes": 3})
    seal(source, target, head=head, key=key, progress=quiet)
    return target


@pytest.mark.parametrize("size", [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, FRAME_BYTES * 3])
def test_what_was_sealed_comes_back(tmp_path: Path, size: int) -> None:
    content = bytes(index % 251 for index in range(size))
    backup = sealed(tmp_path, content)
    seen: list[tuple[int, int]] = []
    head = unseal(backup, tmp_path / "out", key=KEY, progress=lambda done, of: seen.append((done, of)))
    assert (tmp_path / "out").read_bytes() == content
    assert (head.region, head.residency_class, head.streams) == ("eu", "note", {"notes": 3})
    assert seen[-1] == (size, size)
    assert read_head(backup) == head
    assert (backup.stat().st_mode & 0o777) == 0o600


def test_without_the_key_nothing_is_readable(tmp_path: Path) -> None:
    canary = b"canary-77 " * 1000
    backup = sealed(tmp_path, canary)
    assert b"canary" not in backup.read_bytes()
    with pytest.raises(BackupUnusable, match="this key does not open"):
        unseal(backup, tmp_path / "out", key=b"another", progress=quiet)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9, 0.999])
def test_a_flipped_bit_anywhere_is_found(tmp_path: Path, place: float) -> None:
    backup = sealed(tmp_path, b"x" * (FRAME_BYTES * 2 + 5))
    damaged = bytearray(backup.read_bytes())
    damaged[int(len(damaged) * place)] ^= 1
    backup.write_bytes(damaged)
    with pytest.raises(BackupUnusable):
        unseal(backup, tmp_path / "out", key=KEY, progress=quiet)
    assert not (tmp_path / "out").exists()


def test_what_is_cut_off_or_put_together_otherwise_is_refused(tmp_path: Path) -> None:
    whole = sealed(tmp_path, b"x" * (FRAME_BYTES * 2 + 5)).read_bytes()
    start = whole.index(b"}", whole.index(b"streams")) + 2
    frame = 4 + FRAME_BYTES + 16
    first, second, last = (
        whole[start : start + frame],
        whole[start + frame : start + 2 * frame],
        whole[start + 2 * frame :],
    )
    assert len(last) == 4 + 5 + 16
    for name, bad in {
        "without its end": whole[: start + 2 * frame],
        "in the middle of a frame": whole[:-3],
        "in another order": whole[:start] + second + first + last,
        "without a part": whole[:start] + first + last,
        "without anything": whole[:start],
        "with another head": whole.replace(b'"note"', b'"mail"'),
    }.items():
        path = tmp_path / "bad.backup"
        path.write_bytes(bad)
        with pytest.raises(BackupUnusable):
            unseal(path, tmp_path / "out", key=KEY, progress=quiet)
        assert not (tmp_path / "out").exists(), name


def test_what_is_no_backup_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.backup"
    path.write_bytes(b"SQLite format 3\0")
    with pytest.raises(BackupUnusable, match="expected a backup of Tidegate"):
        read_head(path)
