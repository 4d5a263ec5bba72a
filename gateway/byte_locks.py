"""Whose turn is it to write this part of the memory that a node's workers share?

A lock is a byte of the file behind it (POSIX): never waited for by sleeping, and the kernel lets go of it when its
holder dies. One that does not run for long (SIGSTOP) is not waited for either; what is done then is for the caller to
say.
"""

from __future__ import annotations

import fcntl
import os
import time
from typing import Final

MAX_TRYING_S: Final = 0.002
"""A holder that runs needs three microseconds; one that lost its core gets it back within some milliseconds or not."""


class ByteLocks:
    """Of one descriptor; without one the memory is this process's alone, and every lock is had for nothing."""

    __slots__ = ("_descriptor", "missed")

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self.missed = 0
        """Locks that were not had in time."""

    def take(self, at: int, *, within_s: float = MAX_TRYING_S) -> bool:
        """Whether it was had in time."""
        descriptor = self._descriptor
        if descriptor is None:
            return True
        until = 0.0
        while True:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, at)
            except OSError:
                now = time.perf_counter()
                until = until or now + within_s
                if now >= until:
                    self.missed += 1
                    return False
                os.sched_yield()
            else:
                return True

    def free(self, at: int) -> None:
        """One that was had."""
        if self._descriptor is not None:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, at)
