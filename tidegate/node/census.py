"""Which processes belong to this data directory, and are some left of a supervisor that was killed?

    <data_dir>/node.lock        held (flock) by the living supervisor; the kernel lets go of it when that dies
    <data_dir>/processes.json   pid and start time of each child; a pid alone may long belong to somebody else

Two supervisors with one data directory would fight over it: the second is refused. A lock that is free beside children
that live means orphans: they serve on, and whoever starts next takes over from them.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from tidegate.node.durable import write_atomically

LOCK = "node.lock"
CENSUS = "processes.json"


class AlreadyRunning(Exception):
    """Another supervisor holds this data directory; the message says which, and what to do."""


class DataDirUnusable(Exception):
    """The data directory cannot be made or written; the message says why."""


class Resident(msgspec.Struct, frozen=True):
    """A process that was started for this data directory."""

    role: str
    slot: int
    pid: int
    started: int
    """Clock ticks from boot to its start (proc(5), field 22)."""


class Census(msgspec.Struct, frozen=True):
    """Everybody, as one supervisor last wrote it."""

    boot_id: str
    supervisor_pid: int
    residents: list[Resident]


def take_lock(data_dir: Path) -> int:
    """The lock's descriptor, to be kept open and inherited by nobody. Makes the directory when it is missing."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirUnusable(
            f"node.data_dir {data_dir} cannot be used: {error.strerror}; "
            "make it writable for this user or choose another"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise AlreadyRunning(
            f"node.data_dir {data_dir} belongs to a node that is running (pid {holder or 'unknown'}); "
            "stop that node first, or give this one its own node.data_dir"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def start_time(pid: int) -> int | None:
    """When `pid` started, in clock ticks from boot; None when there is no such process, or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The second field is the name in parentheses, which may itself hold spaces and parentheses.
    state, *fields = stat[stat.rindex(")") + 2 :].split()
    return None if state in "ZX" else int(fields[18])


def boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def write(data_dir: Path, supervisor_pid: int, residents: list[Resident]) -> None:
    write_atomically(data_dir / CENSUS, msgspec.json.encode(Census(boot_id(), supervisor_pid, residents)))


def orphans(data_dir: Path) -> list[Resident]:
    """Who still lives of those written down; ask only while holding the lock."""
    try:
        census = msgspec.json.decode((data_dir / CENSUS).read_bytes(), type=Census)
    except (OSError, ValueError):
        return []
    if census.boot_id != boot_id():
        return []
    return [resident for resident in census.residents if start_time(resident.pid) == resident.started]
