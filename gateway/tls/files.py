"""Has one of these files changed? Looked at by path and not by inode, once a second, off the event loop.

So a renamed file, `cp`, and a Kubernetes secret whose symbolic link is swapped are all seen (docs/decisions/0003). A
change is believed when two looks agree: a certificate is not read while its key is still to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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
