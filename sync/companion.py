"""What does a node remember of its store, outside of it? Small files beside the data, replaced durably.

    <class>.opened   how often the class's data was opened (SQLite) or changed (PostgreSQL), as far as the node knows;
                     the data itself counts too

Data that was put back from a backup counts less than its companion, and goes on under a new incarnation. The data
counts first, its companion after it, so that a crash between the two is no alarm.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def openings(path: Path) -> int:
    """What the companion of this file counts; 0 when there is none. Raises OSError."""
    try:
        return int(path.with_suffix(".opened").read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return 0


def confirm_opening(path: Path, opened: int) -> None:
    """The data has counted so far: so does its companion. Raises OSError."""
    write_durably(path.with_suffix(".opened"), lambda _: f"{opened}\n")


def write_durably(path: Path, text: Callable[[int], str]) -> None:
    """Replace a small file; `text` is told the inode that it will have. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text(os.fstat(descriptor).st_ino))
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
