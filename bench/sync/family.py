"""What did a tree of processes cost? CPU of those that live and of those that have ended, and memory.

A database starts a process for each connection, and some have ended before the sum is taken: those count in their
parent's `cutime + cstime` once they were waited for (proc(5)), so the sum over a tree loses none.
"""

from __future__ import annotations

from pathlib import Path

from bench.accounting import TICKS_A_SECOND, memory_bytes

PROC = Path("/proc")


def parent(stat: str) -> int:
    """Of a line of /proc/PID/stat."""
    return int(stat.rpartition(")")[2].split()[1])


def all_ticks(stat: str) -> int:
    """`utime + stime + cutime + cstime`."""
    return sum(int(field) for field in stat.rpartition(")")[2].split()[11:15])


def family(root: int, proc: Path = PROC) -> dict[int, str]:
    """Every process below `root`, and itself: its line of /proc/PID/stat."""
    stats = {}
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                stats[int(entry.name)] = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
    found, waiting = {}, [root]
    while waiting:
        pid = waiting.pop()
        if pid in stats:
            found[pid] = stats[pid]
            waiting += [one for one, stat in stats.items() if parent(stat) == pid]
    return found


def cpu_s(root: int, proc: Path = PROC) -> float:
    return sum(all_ticks(stat) for stat in family(root, proc).values()) / TICKS_A_SECOND


def memory_mib(root: int, proc: Path = PROC) -> float:
    """PSS: what the processes share is counted once."""
    return memory_bytes(family(root, proc), proc) / (1 << 20)
