"""`tidegate serve`: read the configuration, say all that is wrong with it, become the supervisor.

The supervisor is exec'ed: it keeps this process's pid, which is what service managers and people know, and none of the
memory that reading a configuration took.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from tidegate.commands import MISUSED
from tidegate.node.plan import NodePlan, encode

SUPERVISED = "tidegate.node.supervisor"
ONE_PROCESS = "tidegate.node.one_process"


def serve(
    file: Path,
    *,
    environ: Mapping[str, str],
    err: TextIO,
    become: Callable[[list[str]], int] | None = None,
) -> int:
    """Does not return when all is well; `become` is what happens instead of an exec."""
    from config.problems import ConfigurationError  # noqa: PLC0415 - see the package's docstring
    from tidegate.node.disk import Disk  # noqa: PLC0415
    from tidegate.node.logs import silent  # noqa: PLC0415
    from tidegate.node.startup import choose, likely_data_dir, make_plan  # noqa: PLC0415

    file = file.absolute()
    try:
        # The log is silent: the control process chooses by the same rule, and says what there is to say.
        chosen = choose(file, disk=Disk(likely_data_dir(file, environ=environ), silent()), environ=environ)
    except ConfigurationError as error:
        for problem in error.problems:
            err.write(f"{problem}\n")
        err.write(f"nothing was started: {file} has {_count(len(error.problems))}\n")
        return MISUSED
    if chosen.degraded is not None:
        err.write(f"{chosen.degraded}\nstarting on the last good configuration, degraded\n")
    return (become or execute)(command(make_plan(chosen.loaded)))


def command(plan: NodePlan) -> list[str]:
    """What runs the node."""
    return [sys.executable, "-P", "-m", SUPERVISED if plan.workers else ONE_PROCESS, encode(plan)]


def execute(arguments: list[str]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(arguments[0], arguments)  # noqa: S606 - our own interpreter, without a shell


def _count(problems: int) -> str:
    return "a mistake" if problems == 1 else f"{problems} mistakes"
