"""What did a program cost? CPU seconds and memory of its processes, as the kernel counts them (proc(5)).

CPU is `utime + stime` of every process of the program, in clock ticks (10 ms as a rule): a measurement should last
seconds. Memory is PSS: what processes share is divided among them, so that the sum over a program is what it occupies.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def ticks(stat: str) -> int:
    """`utime + stime` of a line of /proc/PID/stat; the name in it may hold spaces and brackets."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def pss_bytes(rollup: str) -> int:
    """The sum line of /proc/PID/smaps_rollup."""
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError("found no Pss line, expected /proc/PID/smaps_rollup")


def cpu_s(pids: Iterable[int], proc: Path = PROC) -> float:
    """CPU seconds that the processes have used since they began, all their threads together."""
    return sum(ticks((proc / str(pid) / "stat").read_text()) for pid in pids) / TICKS_A_SECOND


def memory_bytes(pids: Iterable[int], proc: Path = PROC) -> int:
    """Memory that the processes occupy."""
    return sum(pss_bytes((proc / str(pid) / "smaps_rollup").read_text()) for pid in pids)
