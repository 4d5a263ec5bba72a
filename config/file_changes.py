"""Has one of these files changed? Looked at by path and not by inode, once a second, off the event loop.

So an editor that renames, `cp`, and a Kubernetes ConfigMap or secret whose symbolic link is swapped are all seen, on
any file system (docs/decisions/0003). A change is believed when two looks agree: no file is read while it is written,
and no certificate while its key is still to come.

    look(files)       what can be seen of them, for a thread
    Settling          which looks show something new that has come to rest
    Watch             both, for who has a fixed list of files
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

LOOK_EVERY_S: Final = 1.0

Signature = tuple[int, int, int, int]
"""Device, inode, size, and time of modification in nanoseconds."""


def look(files: Sequence[str]) -> tuple[Signature | None, ...]:
    """One `stat` a file; None for one that is not there."""
    return tuple(_signature(file) for file in files)


def _signature(file: str) -> Signature | None:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


class Settling:
    """Tells looks that show something new, and have come to rest, from all others."""

    def __init__(self) -> None:
        self._settled: tuple[Signature | None, ...] | None = None
        self._last: tuple[Signature | None, ...] | None = None

    def start(self, seen: tuple[Signature | None, ...]) -> None:
        """The files are being read as they are now; a change from here on is news."""
        self._settled = self._last = seen

    def has_changed(self, seen: tuple[Signature | None, ...]) -> bool:
        """True once for every change that has come to rest. A file that is missing is a change to come."""
        before, self._last = self._last, seen
        if seen == self._settled or seen != before or None in seen:
            return False
        self._settled = seen
        return True


class Watch:
    """Some files; `has_changed` is asked once a second."""

    def __init__(self, files: Sequence[str]) -> None:
        self.files = tuple(files)
        self._settling = Settling()
        self.read_now()

    def read_now(self) -> None:
        """They are being read; what they are now is no news any more."""
        self._settling.start(look(self.files))

    def has_changed(self) -> bool:
        """True once for every change that has come to rest."""
        return self._settling.has_changed(look(self.files))
