"""A real PostgreSQL for a test, on a Unix socket and a free port, in a folder of its own.

PostgreSQL refuses to run as root; there it runs as the system's user for it (`postgres`, else `nobody`).
"""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests.harness.node import ports

STARTS_WITHIN_S = 90.0
"""On a machine that does much else."""


class PostgresServer:
    def __init__(self, *settings: str) -> None:
        """`settings`: such as fsync=off, which loses nothing by kill -9, and saves recovery from syncing every file."""
        self._settings = [word for setting in settings for word in ("-c", setting)]
        self._user = None if os.geteuid() else _unprivileged()
        self._folder = Path(tempfile.mkdtemp(prefix="tidegate-postgres-", dir="/tmp"))
        if self._user is not None:
            os.chown(self._folder, self._user, -1)
            self._folder.chmod(0o700)
        (self.port,) = ports(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self._folder / "data"), "-U", "tidegate", "-A", "trust", "--no-sync")
        self.start()

    @property
    def dsn(self) -> str:
        return f"postgresql://tidegate@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """Of the process that has started all others."""
        assert self._process is not None
        return self._process.pid

    def standby(self) -> PostgresServer:
        """Another server that follows this one, asynchronously."""
        made = PostgresServer.__new__(PostgresServer)
        made._settings, made._user, made._process = self._settings, self._user, None
        made._folder = Path(tempfile.mkdtemp(prefix="tidegate-postgres-", dir="/tmp"))
        if made._user is not None:
            os.chown(made._folder, made._user, -1)
        (made.port,) = ports(1)
        source = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "tidegate")
        made._run("pg_basebackup", "-D", str(made._folder / "data"), *source, "-R", "-c", "fast", "--no-sync")
        made.start()
        return made

    def base_backup(self) -> None:
        """A copy of all of it, to be put back."""
        source = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "tidegate")
        self._run("pg_basebackup", "-D", str(self._folder / "copy"), *source, "-c", "fast", "--no-sync")

    def put_back(self, point: str) -> None:
        """The copy, in place of what was there, and of the WAL that was left all up to a named restore point."""
        self.crash()
        (self._folder / "data").rename(self._folder / "before")
        (self._folder / "copy").rename(self._folder / "data")
        signalled = self._folder / "data" / "recovery.signal"
        signalled.touch()
        if self._user is not None:
            os.chown(signalled, self._user, -1)
        wal = self._folder / "before" / "pg_wal"
        for setting in (
            f"restore_command=cp {wal}/%f %p",
            f"recovery_target_name={point}",
            "recovery_target_action=promote",
        ):
            self._settings += ["-c", setting]
        self.start()

    def start(self) -> None:
        """Nothing, while it runs."""
        if self._process is not None:
            return
        ends = time.monotonic() + STARTS_WITHIN_S
        process = self._launch()
        while self._run("pg_isready", "-h", "127.0.0.1", "-p", str(self.port), check=False) != 0:
            assert time.monotonic() < ends, "PostgreSQL does not start"
            time.sleep(0.05)
            if process.poll() is not None:
                process = self._launch()  # what was left of the one before held its memory for a moment longer
        self._process = process

    def _launch(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                _program("postgres"),
                *("-D", str(self._folder / "data"), "-p", str(self.port), "-k", str(self._folder)),
                *("-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=16MB", *self._settings),
            ],
            user=self._user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def crash(self) -> None:
        """As a power cut: nothing is shut down."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        """As kill -9 of all of it, the commits under way too."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Nobody answers; the sockets stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        """The first process, so that it starts no others, then those that it has started."""
        if self._process is None:
            return
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        for one in (pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, number)

    def database(self, name: str) -> str:
        """Make one; its DSN."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tidegate", name)
        return f"postgresql://tidegate@127.0.0.1:{self.port}/{name}"

    def execute(self, database: str, *statements: str) -> None:
        commands = [word for statement in statements for word in ("-c", statement)]
        self._run("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tidegate", "-d", database, *commands)

    def close(self) -> None:
        self.crash()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        return subprocess.run(
            [_program(program), *arguments], check=check, capture_output=True, user=self._user, timeout=60
        ).returncode


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        installed = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))  # noqa: PTH207 - Debian's place
        assert installed, f"found no {name}, expected PostgreSQL to be installed (scripts/setup)"
        found = installed[-1]
    return found


def _unprivileged() -> int:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise AssertionError("found no user to run PostgreSQL as")
