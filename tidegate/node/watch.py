"""Has the configuration file changed? Looked at once a second, by the path and not by the inode.

So an editor that renames, `cp`, and a Kubernetes ConfigMap whose symbolic link is swapped are all seen, on any file
system (docs/decisions/0003). A change is believed when two looks agree, so a file is not read while it is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

EVERY_S = 1.0


class Signature(NamedTuple):
    """What of a file changes when its content does."""

    device: int
    inode: int
    size: int
    modified_ns: int


class Watch:
    """Looks at one path; `changed` is asked once a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._settled = self._last = self._look()

    def changed(self) -> bool:
        """True once for every change that has come to rest. A file that is missing is a change to come."""
        seen, before = self._look(), self._last
        self._last = seen
        if seen is None or seen != before or seen == self._settled:
            return False
        self._settled = seen
        return True

    def read_now(self) -> None:
        """The file is being read for another reason; what it is now is no news any more."""
        self._settled = self._last = self._look()

    def _look(self) -> Signature | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return Signature(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
