"""One child of the supervisor: a fresh interpreter, the socket pair to it, and its record of deaths.

A fresh interpreter, not a fork: nothing of the parent is shared by accident, and a replacement is as clean as the
first. It is started with `-P`, so a `config/` folder in the current directory is never imported for ours.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence

import msgspec

from tidegate.node import lifeline
from tidegate.node.core.backoff import Backoff
from tidegate.node.plan import Orders, Role, encode

MODULES: Mapping[Role, str] = {
    "control": "tidegate.node.control_process",
    "worker": "tidegate.node.worker_process",
    "sync": "tidegate.node.sync_process",
}

MIN_WAIT_S = 0.25
"""After a start that failed for want of memory or processes: at once it would fail again."""


class Child:
    """A place for a process: it outlives those that fill it."""

    def __init__(self, role: Role, slot: int, *, modules: Mapping[Role, str] = MODULES) -> None:
        self.role: Role = role
        self.slot = slot
        self.process: subprocess.Popen[bytes] | None = None
        self.pipe: socket.socket | None = None
        self.is_ready = False
        self.restarts = 0
        self.restart_at: float | None = None
        self._started_at = 0.0
        self._backoff = Backoff()
        self._module = modules[role]

    def __repr__(self) -> str:
        return f"{self.role}-{self.slot}" if self.role == "worker" else self.role

    @property
    def pid(self) -> int | None:
        return None if self.process is None else self.process.pid

    def spawn(self, orders: Orders, *, inherit: Sequence[int], environ: Mapping[str, str], now: float) -> None:
        """Fill the place; `orders.lifeline` is set here. Raises `OSError` when no process is to be had."""
        ours, theirs = lifeline.pair()
        with theirs, contextlib.ExitStack() as undo:
            undo.callback(ours.close)
            text = encode(msgspec.structs.replace(orders, lifeline=theirs.fileno()))
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
                [sys.executable, "-P", "-m", self._module, text],
                stdin=subprocess.DEVNULL,
                pass_fds=[*inherit, theirs.fileno()],
                env=dict(environ),
            )
            undo.pop_all()
        self.pipe, self.is_ready, self.restart_at, self._started_at = ours, False, None, now

    def failed_to_start(self, *, now: float) -> float:
        """There was no process to be had; seconds to wait before the next try."""
        wait_s = max(MIN_WAIT_S, self._backoff.died(started_at=now, now=now))
        self.restart_at = now + wait_s
        return wait_s

    def died(self, status: int, *, now: float) -> str:
        """Empty the place, and say how its process ended. `restart_at` is set."""
        assert self.process is not None  # noqa: S101 - only a process that was started is reaped
        code = self.process.returncode = os.waitstatus_to_exitcode(status)
        self.close_pipe()
        self.process, self.is_ready = None, False
        self.restart_at = now + self._backoff.died(started_at=self._started_at, now=now)
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def tell(self, message: lifeline.ToChild) -> None:
        """Nothing is lost when the child is gone: its replacement is told everything again."""
        if self.pipe is not None:
            lifeline.tell(self.pipe, message)

    def signal(self, number: signal.Signals) -> None:
        """Safe from hitting a stranger: until it is reaped, the pid cannot be given to anyone else."""
        if self.process is not None:
            os.kill(self.process.pid, number)

    def close_pipe(self) -> None:
        if self.pipe is not None:
            self.pipe.close()
            self.pipe = None
