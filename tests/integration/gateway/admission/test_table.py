"""The table between processes: exact when four hammer one key, and free when a holder of its lock is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from gateway.admission.table import Table
from gateway.core.gcra import quota
from gateway.node_memory import create

HAMMER = """
import sys
from gateway.admission.table import Table
from gateway.core.gcra import quota
table = Table(int(sys.argv[1]))
of = quota(1e-6, 4000)
print(sum(table.take(b"l\\0k", of, 100.0).wait_s == 0.0 for _ in range(3000)), table.unlocked)
"""
HOLD = """
import fcntl, sys, time
from gateway.admission.table import Table
table = Table(int(sys.argv[1]))
fcntl.lockf(int(sys.argv[1]), fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


def start(code: str, descriptor: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(descriptor)], pass_fds=[descriptor], stdout=subprocess.PIPE, text=True
    )


def test_four_processes_admit_together_exactly_what_one_would() -> None:
    descriptor = create()
    hammers = [start(HAMMER, descriptor) for _ in range(4)]
    counts = [hammer.communicate(timeout=60)[0].split() for hammer in hammers]
    admitted, unlocked = sum(int(one[0]) for one in counts), sum(int(one[1]) for one in counts)
    assert 4000 <= admitted <= 4000 + unlocked
    assert unlocked < 600, "one in twenty at most, with four processes that do nothing else"
    os.close(descriptor)


def test_a_stopped_holder_holds_nobody_up_and_a_killed_one_lets_go() -> None:
    descriptor = create()
    holder = start(HOLD, descriptor)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    table, of = Table(descriptor), quota(1, 1)
    holder.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    assert table.take(b"l\0k", of, 5.0).wait_s == 0.0
    assert time.monotonic() - began < 0.5
    assert table.unlocked == 1
    holder.kill()
    holder.communicate()
    assert table.take(b"l\0k", of, 5.0).wait_s > 0.0
    assert table.unlocked == 1
    table.close()
    os.close(descriptor)
