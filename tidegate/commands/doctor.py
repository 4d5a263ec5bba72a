"""`tidegate doctor`: what is wrong with this node and its machine? Every check is one line; the exit code is the worst.

configuration, data directory, open files,    of this machine, by the file
database
node, configuration in force, processes,      of the running node, by its admin API
decisions, endpoints, peers, clock
"""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from rich.console import Console
from rich.markup import escape

from tidegate.commands import DONE, FAILED, UNREACHABLE
from tidegate.commands.remote import Declined, NotReached, ask

if TYPE_CHECKING:
    from config.loader import Loaded

Standing = Literal["ok", "warning", "failed"]
COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}
LEAST_FREE_BYTES = 256 * 1024 * 1024
MAX_CLOCK_DIFFERENCE_S = 1.0
"""Beyond the way there and back; certificates, agreements and what people read go by the wall clock."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line."""

    name: str
    standing: Standing
    detail: str


def doctor(
    file: Path,
    admin: str,
    *,
    token: str | None,
    environ: Mapping[str, str],
    now: float,
    as_json: bool,
    out: TextIO,
) -> int:
    """`now` is wall time."""
    checks, loaded = _configuration(file, environ=environ)
    if loaded is not None:
        checks += [*_data_dir(Path(loaded.config.node.data_dir)), _descriptors(loaded)]
        checks += _database(loaded, environ=environ)
    is_reached = True
    try:
        told = ask(admin, "GET", "/v1/status", token=token)
        checks += list(node_checks(told, digest=loaded.digest if loaded else None, now=now))
        checks += _peers(admin, token)
    except NotReached as error:
        is_reached = False
        checks.append(Check("node", "failed", str(error)))
    except Declined as error:
        checks.append(Check("node", "failed", f"it declined to tell: {error}"))
    if as_json:
        json.dump({"checks": [asdict(check) for check in checks]}, out, indent=2, ensure_ascii=False)
        out.write("\n")
    else:
        console = Console(file=out, highlight=False, soft_wrap=True)
        for check in checks:
            colour = COLOURS[check.standing]
            console.print(f"[{colour}]{check.standing:<8}[/] {check.name}: {escape(check.detail)}")
    if not is_reached:
        return UNREACHABLE
    return FAILED if any(check.standing == "failed" for check in checks) else DONE


def _configuration(file: Path, *, environ: Mapping[str, str]) -> tuple[list[Check], Loaded | None]:
    from config.loader import load_file  # noqa: PLC0415 - see tidegate/commands
    from config.problems import ConfigurationError  # noqa: PLC0415

    try:
        loaded = load_file(file.absolute(), environ=environ)
    except ConfigurationError as error:
        return [Check("configuration", "failed", str(problem)) for problem in error.problems], None
    warnings = [Check("configuration", "warning", str(warning)) for warning in loaded.warnings]
    return warnings or [Check("configuration", "ok", str(loaded.file))], loaded


def _data_dir(path: Path) -> Iterator[Check]:
    name = "data directory"
    if not path.is_dir():
        yield Check(name, "warning", f"{path} is not there yet; the node makes it when it starts")
        return
    if not os.access(path, os.W_OK | os.X_OK):
        yield Check(name, "failed", f"{path} cannot be written by this user")
        return
    free = shutil.disk_usage(path).free
    standing: Standing = "ok" if free >= LEAST_FREE_BYTES else "failed"
    expected = "" if standing == "ok" else f", expected at least {LEAST_FREE_BYTES >> 20} MiB"
    yield Check(name, standing, f"{path} has {free >> 20} MiB free{expected}")


def _descriptors(loaded: Loaded) -> Check:
    from tidegate.node.startup import make_plan  # noqa: PLC0415

    needed = make_plan(loaded).descriptors
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= needed:
        return Check("open files", "ok", f"a process may have {hard}, {needed} are needed")
    return Check("open files", "failed", f"a process may have {hard}, expected {needed} for the limits configured")


def _database(loaded: Loaded, *, environ: Mapping[str, str]) -> Iterator[Check]:
    from tidegate.commands.database import look  # noqa: PLC0415

    found = look(loaded.config, environ=environ)
    if found is not None:
        standing: Standing = "ok" if found.problem is None else "failed"
        yield Check("database", standing, ": ".join(filter(None, (found.detail, found.problem))))


def node_checks(told: Mapping[str, Any], *, digest: str | None, now: float) -> Iterator[Check]:
    """By what the node says of itself. `digest` is the file's; None when it cannot be read."""
    is_ready = told["state"] == "ready"
    yield Check("node", "ok" if is_ready else "failed", f"{told['node']} is {told['state']}")
    for reason in told["degraded"]:
        yield Check("node", "failed", f"degraded: {reason}")
    if digest is not None and digest != told["config"]["digest"]:
        yield Check("configuration in force", "warning", "the node runs by another than the file's; reload it")
    for child in told["processes"]["children"]:
        if child["restarts"]:
            yield Check(
                "processes", "warning", f"{child['role']} {child['slot']} was restarted {child['restarts']} times"
            )
    frozen = told["leadership"]["frozen"]
    yield Check("decisions", "failed" if frozen else "ok", frozen or told["leadership"]["reason"])
    down = [one["endpoint"] for one in told["endpoints"] if one["health"] == "down"]
    total = len(told["endpoints"])
    sentence = f"{len(down)} of {total} are down" + (f": {', '.join(down[:10])}" if down else "")
    yield Check("endpoints", "warning" if down else "ok", sentence)
    difference_s = abs(datetime.fromisoformat(told["now"]).timestamp() - now)
    is_same = difference_s <= MAX_CLOCK_DIFFERENCE_S
    yield Check(
        "clock", "ok" if is_same else "warning", f"{difference_s:.1f} s between the node's clock and this one's"
    )


def _peers(admin: str, token: str | None) -> list[Check]:
    """A node that knows no others has nothing to tell."""
    try:
        told = ask(admin, "GET", "/v1/nodes", token=token)
    except Declined:
        return []
    differing = [one["node"] for one in told["nodes"] if not one["same_config"]]
    found = [Check("peers", "failed", f"no answer from {one['address']}: {one['reason']}") for one in told["unreached"]]
    if differing:
        found.append(Check("peers", "warning", f"another configuration is in force on {', '.join(differing)}"))
    return found or [Check("peers", "ok", f"{len(told['nodes'])} nodes with the same configuration")]
