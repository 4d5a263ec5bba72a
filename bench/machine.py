"""Where and of what was it measured? Numbers without that are worth nothing."""

from __future__ import annotations

import os
import platform
import subprocess
import sysconfig
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
        "Python": f"{platform.python_version()}, {build(sysconfig.get_config_var('CONFIG_ARGS') or '')}",
        "load before the start": f"{os.getloadavg()[0]:.1f} processes wanted to run",
    }


def build(configured: str) -> str:
    """How the interpreter was made: with profile-guided optimisation the same code costs about a fifth less."""
    is_optimised = "--enable-optimizations" in configured
    return "built with profile-guided optimisation" if is_optimised else "built without profile-guided optimisation"


def commit() -> str:
    shown = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--", "gateway", "config", "health", "tidegate")
    return f"{shown or 'unknown'}{', with changes that are not committed' if changed else ''}"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()
