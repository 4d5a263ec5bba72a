"""What a node's processes hold: memory, descriptors, threads. And which of them is which.

Read from /proc, from outside: a process that leaks is not asked whether it does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
WAL = "-wal"
CLOSE_WAIT, STATE, INODE = "08", 3, 9
"""As /proc/net/tcp writes it, and in which of its columns."""


@dataclass(frozen=True, slots=True)
class Held:
    """By one node, in all its processes."""

    processes: int
    memory_bytes: int
    """Resident; pages that processes share count once for each."""
    descriptors: int
    threads: int
    connections: int = 0
    """Of clients, by its own word."""
    in_flight: int = 0
    half_closed: int = 0
    """Connections that their other end has closed, and it has not."""
    disk_bytes: int = 0
    """In its data directory and its log, without what is yet to be folded in."""
    wal_bytes: int = 0
    """The largest write-ahead log there."""
    database_bytes: int = 0
    """Of the clients' data in SQLite, with what is yet to be folded in."""
    memory_by_role: Mapping[str, int] = field(default_factory=dict)
    """Resident, in bytes; of those that are ready."""


def held(pids: Iterable[int], *, proc: Path = Path("/proc")) -> Held:
    """A process that ends while we look holds nothing."""
    processes = memory = descriptors = threads = 0
    for pid in pids:
        try:
            memory += _resident(pid, proc)
            descriptors += len(os.listdir(proc / str(pid) / "fd"))  # noqa: PTH208 - names only
            threads += len(os.listdir(proc / str(pid) / "task"))  # noqa: PTH208
            processes += 1
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return Held(processes, memory, descriptors, threads)


def memory_by_role(status: Mapping[str, Any], *, proc: Path = Path("/proc")) -> dict[str, int]:
    """From `GET /v1/status`; a process that ends while we look has no entry."""
    found = {}
    for role, pid in roles(status).items():
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            found[role] = _resident(pid, proc)
    return found


def _resident(pid: int, proc: Path) -> int:
    return int((proc / str(pid) / "statm").read_text().split()[1]) * PAGE_BYTES


def half_closed(pids: Iterable[int], *, proc: Path = Path("/proc")) -> int:
    """Connections of these processes that are in CLOSE_WAIT; those of others in the same network are not theirs."""
    held_by_us: set[str] = set()
    waiting: set[str] = set()
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            held_by_us |= {link for path in (proc / str(pid) / "fd").iterdir() if (link := _link(path))}
            for name in ("tcp", "tcp6"):
                lines = (proc / str(pid) / "net" / name).read_text().splitlines()[1:]
                fields = [line.split() for line in lines]
                waiting |= {f"socket:[{field[INODE]}]" for field in fields if field[STATE] == CLOSE_WAIT}
    return len(held_by_us & waiting)


def _link(path: Path) -> str:
    """What a descriptor is; nothing where it was closed meanwhile."""
    try:
        return str(path.readlink())
    except OSError:
        return ""


def on_disk(*places: Path) -> tuple[int, int]:
    """Bytes of files and of all files below folders, and of the largest write-ahead log, which is not among them."""
    kept = largest = 0
    for place in places:
        for path in place.rglob("*") if place.is_dir() else (place,):
            size = _size(path)
            if path.name.endswith(WAL):
                largest = max(largest, size)
            elif not path.name.endswith("-shm"):
                kept += size
    return kept, largest


def _size(path: Path) -> int:
    """A file that goes while we look has none."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def roles(status: Mapping[str, Any]) -> dict[str, int]:
    """Process ids by role, from `GET /v1/status`: supervisor, control, worker, sync. Those that are ready."""
    told = status["processes"]
    found = {child["role"]: child["pid"] for child in told["children"] if child["pid"] is not None and child["ready"]}
    if told["supervisor"] is not None:
        found["supervisor"] = told["supervisor"]["pid"]
    return found
