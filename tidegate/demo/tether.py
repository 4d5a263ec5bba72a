"""Runs a program that does not outlive the one that started it.

    python -m tidegate.demo.tether PARENT_PID COMMAND...

A demo that is itself killed with `kill -9` cannot stop anything any more. So each of its children asks the kernel for a
SIGTERM at the parent's death, and then becomes the program; the request outlives `exec`. (Only Linux has it,
PR_SET_PDEATHSIG in prctl(2); elsewhere the program is run without.)
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str]) -> None:
    parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):  # it died before the kernel was asked
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606  the command comes from the demo itself, no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
