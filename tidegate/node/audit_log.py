"""One data plane's part of the audit log: records that survive the process, at next to no cost for requests.

    write(record) ──> chained ──> appended before what it tells of is done
                                    └─ fdatasync within a second, on a thread

Each process writes a segment of its own below `data_dir/audit` and holds a lock on it; nobody waits for anybody. Who
starts heals what a killed process has left half written, and notes where every finished segment ends
(tidegate/node/core/audit_chain.py). Segments older than the retention are removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tidegate.node.core import audit_chain

MAX_SEGMENT_BYTES: Final = 16 * 1024 * 1024
"""Some 40,000 records: verifying one takes a quarter of a second."""
MAX_BUFFERED: Final = 10_000
"""Records that wait for a disk that takes none; beyond it they are counted as lost."""
SYNC_EVERY_S: Final = 1.0
SUFFIX: Final = ".log"


def folder_of(data_dir: str) -> Path:
    return Path(data_dir) / "audit"


class AuditLog:
    """Used from its loop only. Nothing is created before the first record."""

    def __init__(
        self, folder: Path, *, node_id: str, wall: Callable[[], float], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._folder = folder
        self._node_id = node_id
        self._wall = wall
        self._loop = loop
        self._descriptor: int | None = None
        self._hash = ""
        self._size = 0
        self._number = 0
        self._waiting: list[dict[str, Any]] = []
        self._again: asyncio.TimerHandle | None = None
        """When a disk that took nothing is tried again."""
        self._sync: asyncio.TimerHandle | None = None
        self.lost = 0
        """Records that could not be written."""
        self.retention_s: float | None = None

    def write(self, record: Mapping[str, Any]) -> None:
        """On file when this returns, so that a request may leave: kill -9 takes nothing back. Its time is now."""
        if len(self._waiting) >= MAX_BUFFERED:
            self.lost += 1
            return
        self._number += 1
        self._waiting.append({"n": self._number, "at": round(self._wall(), 3), "node": self._node_id, **record})
        if self._again is None:
            self._flush()

    def _flush(self) -> None:
        """Append all that waits; what a full disk does not take waits on."""
        self._again = None
        if not self._waiting:
            return
        try:
            if self._descriptor is None or self._size > MAX_SEGMENT_BYTES:
                self._open()
            self._append(self._waiting)
        except OSError:
            self._close_segment()  # half a record may be there: it is healed, and another segment begins
            self._again = self._loop.call_later(SYNC_EVERY_S, self._flush)
            return
        self._waiting = []
        if self._sync is None:
            self._sync = self._loop.call_later(SYNC_EVERY_S, self._sync_soon)

    def _append(self, records: list[dict[str, Any]]) -> None:
        lines, hashed = [], self._hash
        for record in records:
            line, hashed = audit_chain.sealed(hashed, record)
            lines.append(line)
        data = b"".join(lines)
        if self._descriptor is None or os.write(self._descriptor, data) != len(data):
            raise OSError("the disk took a part only")
        self._hash = hashed
        self._size += len(data)

    def _open(self) -> None:
        self._close_segment()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        heads = heal(self._folder)
        if self.retention_s is not None:
            forget(self._folder, older_than=self._wall() - self.retention_s)
        name = f"{int(self._wall() * 1000):014d}-{os.getpid()}-{os.urandom(3).hex()}"
        path = self._folder / (name + SUFFIX)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._hash, self._size = audit_chain.first_hash(name), 0
        opened = {"n": 0, "at": round(self._wall(), 3), "node": self._node_id, "kind": "opened", "heads": heads}
        self._append([opened])

    def _sync_soon(self) -> None:
        self._sync = None
        descriptor = self._descriptor
        if descriptor is not None:
            self._loop.run_in_executor(None, _synced, os.dup(descriptor))

    def _close_segment(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def close(self) -> None:
        if self._again is not None:
            self._again.cancel()
        self._flush()
        for handle in (self._again, self._sync):
            if handle is not None:
                handle.cancel()
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.fdatasync(self._descriptor)
        self._close_segment()


def _synced(descriptor: int) -> None:
    try:
        with contextlib.suppress(OSError):
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def heal(folder: Path) -> dict[str, str]:
    """Cut half records off segments whose writer is gone; the last hash of each of these segments."""
    heads = {}
    for path in sorted(folder.glob("*" + SUFFIX)):
        with contextlib.suppress(OSError), path.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # somebody writes it
            found = audit_chain.read(path.stem, file.read())
            if found.is_torn:
                file.truncate(found.whole_bytes)
            if found.fault is None:
                heads[path.stem] = found.last_hash
    return heads


def forget(folder: Path, *, older_than: float) -> None:
    """Remove segments last written before a time; one that is being written is younger."""
    for path in folder.glob("*" + SUFFIX):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < older_than:
                path.unlink()


def segments(folder: Path) -> dict[str, audit_chain.Read]:
    """All of the log, verified, the oldest segment first."""
    return {path.stem: audit_chain.read(path.stem, path.read_bytes()) for path in sorted(folder.glob("*" + SUFFIX))}
