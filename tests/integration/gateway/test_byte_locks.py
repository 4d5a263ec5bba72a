"""Locks between processes: exclusive, not waited for where the holder is stopped, free when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from gateway.byte_locks import ByteLocks
from gateway.node_memory import create

HOLD = """
import sys, time
from gateway.byte_locks import ByteLocks
locks = ByteLocks(int(sys.argv[1]))
print(locks.take(5), flush=True)
time.sleep(60)
"""


def test_a_holder_is_not_waited_for_long_and_its_death_frees_the_lock() -> None:
    descriptor = create()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(descriptor)], pass_fds=[descriptor], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    locks = ByteLocks(descriptor)
    began = time.monotonic()
    assert not locks.take(5)
    assert time.monotonic() - began < 0.5
    assert locks.missed == 1
    assert locks.take(6), "another byte is another lock"
    locks.free(6)
    holder.send_signal(signal.SIGSTOP)
    assert not locks.take(5)
    holder.kill()
    holder.communicate()
    assert locks.take(5)
    locks.free(5)
    os.close(descriptor)


def test_memory_of_one_process_needs_no_locks() -> None:
    locks = ByteLocks(None)
    assert locks.take(5)
    assert locks.take(5)
    locks.free(5)
    assert locks.missed == 0
