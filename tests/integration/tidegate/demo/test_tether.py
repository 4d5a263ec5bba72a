"""What the demo starts does not outlive the demo, not even when that is killed."""

from __future__ import annotations

import asyncio
import os
import sys

from tidegate.demo.processes import is_gone
from tidegate.demo.waiting import until

STARTS_ONE = """
import os, subprocess, sys, time
tethered = (sys.executable, "-m", "tidegate.demo.tether", str(os.getpid()), sys.executable, "-c")
subprocess.Popen((*tethered, "import os, time; print(os.getpid(), flush=True); time.sleep(60)"), start_new_session=True)
time.sleep(60)
"""


async def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTS_ONE, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    child = int(await asyncio.wait_for(parent.stdout.readline(), 20))
    assert not is_gone(child)
    parent.kill()
    await parent.wait()
    await until(lambda: is_gone(child), within_s=60, what="the end of the child")


async def test_a_program_whose_parent_is_already_gone_is_not_run() -> None:
    late = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tidegate.demo.tether", str(os.getppid()), sys.executable, "-c", "print('ran')"),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await late.communicate()
    assert (output, late.returncode) == (b"", 1)
