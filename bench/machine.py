"""Where and of what was it measured? Numbers without that are worth nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")


def processor(cpu_info: str) -> str:
    for line in cpu_info.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def facts(now: str) -> Mapping[str, str]:
    """`now`: the date as people read it."""
    return {
        "date": now,
        "commit": commit(),
        "processor": f"{processor(CPU_INFO.read_text())}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "load before the start": f"{os.getloadavg()[0]:.1f} processes wanted to run",
    }


def commit() -> str:
    shown = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--", "gateway", "config", "health", "tidegate")
    return f"{shown or 'unknown'}{', with changes that are not committed' if changed else ''}"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()
