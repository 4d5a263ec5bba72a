"""A program under measurement, or one that helps to measure: pinned to a core, in its own session, ended for sure."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tidegate.demo.processes import session_members

READY_WITHIN_S = 30.0
GRACE_S = 5.0
LAST_WORDS = 300


class ProgramFailed(Exception):
    """It did not start, or it died."""


def pinned(core: int | None) -> Callable[[], None] | None:
    """What a child does before it becomes the program."""
    return None if core is None else lambda: os.sched_setaffinity(0, {core})


class Program:
    """Runs as long as the `with` block."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        directory: Path,
        core: int | None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.command = tuple(command)
        self._log = directory / "output.log"
        self._core = core
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,
                preexec_fn=pinned(self._core),  # noqa: PLW1509  the harness has one thread
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        assert process is not None  # noqa: S101  entered
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()

    def pids(self) -> tuple[int, ...]:
        """Every process of it."""
        return session_members(self._process.pid) if self._process is not None else ()

    def wait_until(self, is_so: Callable[[], bool], what: str) -> None:
        """Raises `ProgramFailed` with the program's last words."""
        deadline = time.monotonic() + READY_WITHIN_S
        while not is_so():
            code = self._process.poll() if self._process is not None else None
            if code is not None:
                raise ProgramFailed(f"{self.name} ended with {code}: {self.last_words()}")
            if time.monotonic() > deadline:
                raise ProgramFailed(f"{self.name}: not {what} within {READY_WITHIN_S:g} s: {self.last_words()}")
            time.sleep(0.05)

    def last_words(self) -> str:
        """The end of the last line that it wrote."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1][-LAST_WORDS:] if lines else "it said nothing"
