"""Where are the journal's lines kept? In two files of bounded size; when the newer is full it replaces the older."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

MAX_FILE_BYTES = 4 * 1024 * 1024
"""Of each of the two: some ten thousand decisions."""


class JournalFiles:
    """One node's, in its data directory."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "decisions.jsonl"
        self._older = directory / "decisions.1.jsonl"

    def append(self, line: bytes) -> None:
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # a crash cut the line before short
            written = os.write(descriptor, line)
            if written != len(line):
                raise OSError(f"found room for {written} of {len(line)} bytes in {self._file}")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if size + len(line) >= MAX_FILE_BYTES:
            self._file.replace(self._older)

    def read(self) -> Iterator[bytes]:
        failure: OSError | None = None
        for path in (self._older, self._file):
            try:
                with path.open("rb") as file:
                    yield from file.read(2 * MAX_FILE_BYTES).splitlines()
            except FileNotFoundError:
                continue
            except OSError as error:
                failure = error  # the other file may be readable
        if failure is not None:
            raise failure
