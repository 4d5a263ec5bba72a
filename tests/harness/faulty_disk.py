"""A disk that is full when told so, and that forgets what was not synced; for real processes, below SQLite.

disk = FaultyDisk(tmp_path, watched=folder)
subprocess.Popen(..., env={**os.environ, **disk.environ})
disk.fill()          writes below `folder` fail with ENOSPC, until disk.empty()
disk.survived        what a power loss would have left of the files there
"""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("faulty_disk.c")


class FaultyDisk:
    """One folder's."""

    def __init__(self, folder: Path, *, watched: Path) -> None:
        self._library = folder / "faulty_disk.so"
        self._flag = folder / "disk-is-full"
        self.survived = folder / "survived"
        self.survived.mkdir()
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-O1", "-o", str(self._library), str(SOURCE), "-ldl"],
            check=True,
        )
        self.environ = {
            "LD_PRELOAD": str(self._library),
            "FAULTY_DIR": str(watched),
            "FAULTY_FULL": str(self._flag),
            "FAULTY_SHADOW": str(self.survived),
        }

    def fill(self) -> None:
        self._flag.touch()

    def empty(self) -> None:
        self._flag.unlink(missing_ok=True)
