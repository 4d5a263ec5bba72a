"""Real databases for the mesh: a durable Redis or a PostgreSQL in each region, one PostgreSQL beside the clients.

Each is a Program like any other: killed with `kill -9`, frozen with SIGSTOP, started again on what it has on its disk.
PostgreSQL refuses to run as root; there it runs as the system's user for it (`postgres`, else `nobody`).
"""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from chaos.mesh.network import within
from chaos.mesh.plan import POSTGRES, REDIS, SWITCH, address
from tidegate.demo.processes import Program

LOOSE = ("-c", "shared_buffers=16MB", "-c", "max_connections=200", "-c", "log_min_messages=fatal")


class ServerMissing(Exception):
    """A database that is not installed."""


def redis(region: str, *, directory: Path, environ: Mapping[str, str]) -> Program:
    """Every write is on its disk before it is answered: an acceptor must remember."""
    folder = directory / f"redis-{region}"
    folder.mkdir(parents=True)
    command = (
        _found("redis-server"),
        *("--port", str(REDIS), "--bind", address(region), "--dir", str(folder), "--protected-mode", "no"),
        *("--save", "", "--appendonly", "yes", "--appendfsync", "always"),
    )
    return Program(
        f"redis {region}", within(region, command), log=directory / f"redis-{region}.log", environment=environ
    )


def postgres(region: str | None, *, directory: Path, environ: Mapping[str, str]) -> Program:
    """A new cluster: a region's own, or the one beside the clients. Raises ServerMissing, CalledProcessError."""
    name = "postgres" if region is None else f"postgres {region}"
    folder = directory / name.replace(" ", "-")
    folder.mkdir(parents=True)
    user = None if os.geteuid() else _unprivileged()
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
        folder.chmod(0o700)
        for parent in (directory, *directory.parents):  # the way there must be open to that user
            if parent.stat().st_uid == os.geteuid() and parent.stat().st_mode & 0o1 == 0:
                parent.chmod(parent.stat().st_mode | 0o11)
    data = folder / "data"
    made = (_found("initdb"), "-D", str(data), "-U", "tidegate", "-A", "trust", "--no-sync")
    subprocess.run(_as_user(user, made), check=True, capture_output=True, timeout=60, cwd="/", env=dict(environ))
    (data / "pg_hba.conf").write_text("host all all 0.0.0.0/0 trust\nlocal all all trust\n")
    command = (
        _found("postgres"),
        *("-D", str(data), "-p", str(POSTGRES), "-k", str(folder)),
        *("-c", f"listen_addresses={SWITCH if region is None else address(region)}", *LOOSE),
    )
    as_user = _as_user(user, command)
    placed = as_user if region is None else within(region, as_user)
    return Program(name, placed, log=directory / f"{folder.name}.log", environment=environ)


def _as_user(user: pwd.struct_passwd | None, command: tuple[str, ...]) -> tuple[str, ...]:
    """As that user, and still ended with us: a change of user forgets what was asked of the kernel before."""
    if user is None:
        return command
    become = ("setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups")
    return (*become, "--pdeathsig", "TERM", *command)


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServerMissing("found no user to run PostgreSQL as, expected `postgres` or `nobody`")


def _found(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        installed = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))  # noqa: PTH207 - Debian's place
        if not installed:
            raise ServerMissing(f"found no {name}: run `make setup`")
        found = installed[-1]
    return found
