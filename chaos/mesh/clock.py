"""A clock that tells the wrong time: libfaketime, for one node, moved while the node runs.

The wall clock only: `DONT_FAKE_MONOTONIC` leaves monotonic and boot time real, as a bad NTP server would.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path

LIBRARIES = "/usr/lib/*/faketime/libfaketimeMT.so.1"


class FalseClockMissing(Exception):
    """libfaketime is not installed."""


class FalseClock:
    """Reads its offset from a file, anew at every look."""

    def __init__(self, file: Path, *, libraries: str = LIBRARIES) -> None:
        """Raises FalseClockMissing."""
        found = sorted(glob.glob(libraries))  # noqa: PTH207 - a pattern with the machine's architecture in it
        if not found:
            raise FalseClockMissing("found no libfaketime: run `make setup`")
        self._library = found[-1]
        self._file = file
        self.offset(0.0)

    def offset(self, seconds: float) -> None:
        """From now on it is that much ahead of the true time."""
        self._file.write_text(f"{seconds:+.3f}\n")

    def environment(self) -> Mapping[str, str]:
        return {
            "LD_PRELOAD": self._library,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
