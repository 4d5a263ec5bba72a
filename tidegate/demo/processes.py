"""One program of the demo: started, watched, stopped, and if need be killed with all that it started.

Each gets a session of its own, so that Ctrl-C at the terminal reaches the demo alone, which then stops everything in
order; and so that whatever a program started can be found and ended with it. It is tethered (`tether.py`) in case the
demo itself is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tidegate.demo.waiting import NotInTimeError, until

TAIL_BYTES = 2_000
KILL_AGAIN_S = 0.002
"""Between two looks at what a kill has left: the kernel needs about that long."""
KILL_LOOKS = 2_500
"""Five seconds; what a kill has not ended by then hangs in the kernel, and waiting does not help."""


class Program:
    """A child process whose output goes to a file."""

    def __init__(self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        self._command = (sys.executable, "-m", "tidegate.demo.tether", str(os.getpid()), *command)
        self.environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """None before the start."""
        return self._process.pid if self._process is not None else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs or was never started; negative: the signal that ended it."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Start it, or start it again."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  our own command, no shell
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment,
                start_new_session=True,
            )

    def kill(self) -> None:
        """`kill -9` of this process alone, and wait until it is gone: that takes no longer than the kernel needs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    async def stop(self, *, grace_s: float) -> bool:
        """SIGTERM, and whatever is left after the grace is killed; say whether nothing had to be."""
        if self._process is None:
            return True
        if self._process.poll() is None:
            self._process.terminate()
        try:
            await until(lambda: not self.remains(), within_s=grace_s, what=f"the end of {self.name}")
        except NotInTimeError:
            self.kill_all()
            return False
        self._process.wait()  # it may have become a zombie after the last look: reap it
        return True

    def kill_all(self) -> None:
        """`kill -9` of the process and of everything in its session, and wait the moment until all are gone.

        What a dying process started meanwhile is found at the next look.
        """
        for _ in range(KILL_LOOKS):
            left = self.remains()
            if not left:
                break
            for pid in left:
                with contextlib.suppress(ProcessLookupError):  # it ended between the look and the kill
                    os.kill(pid, signal.SIGKILL)
            time.sleep(KILL_AGAIN_S)
        if self._process is not None:
            self._process.wait()

    def remains(self) -> tuple[int, ...]:
        """The processes of its session that still run."""
        if self._process is None:
            return ()
        self._process.poll()  # reaps it, so that a zombie does not count
        return session_members(self._process.pid)

    def last_words(self) -> str:
        """The end of its log."""
        try:
            return self.log.read_bytes()[-TAIL_BYTES:].decode(errors="replace").strip()
        except FileNotFoundError:
            return ""


def session_members(session: int, proc: Path = Path("/proc")) -> tuple[int, ...]:
    """All live processes of a session, read from /proc (proc(5): state, parent, group and session follow the name)."""
    members = []
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        if int(fields[3]) == session and fields[0] not in "ZX":
            members.append(int(entry.name))
    return tuple(members)


def is_gone(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process runs no more, reaped or not."""
    try:
        return (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True
