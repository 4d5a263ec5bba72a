"""On what was it measured? A figure without its machine and versions says nothing."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path


def facts(root: Path, *, toxiproxy: Path) -> dict[str, str]:
    """Versions and machine, as written under the table."""
    return {
        "Tidegate": metadata.version("tidegate"),
        "Python": platform.python_version(),
        "Toxiproxy": _noted(toxiproxy) or _version((str(toxiproxy), "--version")),
        "Redis": _version(("redis-server", "--version")),
        "PostgreSQL": _version((_postgres(), "--version")),
        "machine": f"{os.cpu_count()} processors, {platform.system()} {platform.release()}",
    }


def commit(root: Path) -> str:
    """Short, with a `+` where files differ from it; `unknown` outside a repository."""
    head = _said(("git", "rev-parse", "--short=12", "HEAD"), root)
    changed = _said(("git", "status", "--porcelain", "--", ":!chaos/report"), root)
    return "unknown" if not head else f"{head}+" if changed else head


def _noted(toxiproxy: Path) -> str:
    """A server that Go built does not know its version; `make setup` writes it down beside."""
    note = toxiproxy.resolve().parent.parent / "toxiproxy-version"
    return note.read_text().strip() if note.is_file() else ""


def _postgres() -> str:
    return shutil.which("postgres") or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))), "postgres"
    )


def _version(command: Sequence[str]) -> str:
    found = re.search(r"\d+\.\d+(?:\.\d+)?", _said(command, None))
    return found[0] if found else "unknown"


def _said(command: Sequence[str], folder: Path | None) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return ""
    return done.stdout.strip() or done.stderr.strip() if done.returncode == 0 else ""
