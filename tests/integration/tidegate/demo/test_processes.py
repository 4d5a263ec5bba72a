"""A program of the demo is stopped with all that it started, and its last words can be read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tidegate.demo.processes import Program, is_gone, session_members
from tidegate.demo.waiting import until

PARENT_OF_ONE = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("started", child.pid, flush=True)
time.sleep(60)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


def program(script: str, tmp_path: Path) -> Program:
    return Program("a program", (sys.executable, "-c", script), log=tmp_path / "log", environment=dict(os.environ))


async def test_stopping_ends_the_program_and_what_it_started(tmp_path: Path) -> None:
    one = program(PARENT_OF_ONE, tmp_path)
    one.start()
    await until(lambda: "started" in one.last_words(), within_s=60, what="its child")
    child = int(one.last_words().split()[-1])
    assert set(one.remains()) == {one.pid, child}
    assert not await one.stop(grace_s=0.2)  # the child was not told, so it had to be killed
    assert one.remains() == ()
    assert is_gone(child)


async def test_a_program_that_stops_by_itself_is_not_killed(tmp_path: Path) -> None:
    one = program("print('ready', flush=True); import time; time.sleep(60)", tmp_path)
    one.start()
    await until(lambda: "ready" in one.last_words(), within_s=60, what="it to start")
    assert await one.stop(grace_s=10)
    assert not one.is_running


async def test_a_program_deaf_to_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    one = program(DEAF, tmp_path)
    one.start()
    await until(lambda: "deaf" in one.last_words(), within_s=60, what="it to start")
    assert not await one.stop(grace_s=0.1)
    assert one.exit_code == -9


async def test_its_end_and_its_last_words_are_known(tmp_path: Path) -> None:
    one = program("import sys; sys.exit('port 8080 is taken')", tmp_path)
    assert (one.pid, one.exit_code, one.last_words(), one.remains()) == (None, None, "", ())
    one.start()
    await until(lambda: not one.is_running, within_s=60, what="its end")
    assert (one.exit_code, one.last_words()) == (1, "port 8080 is taken")


async def test_a_killed_program_is_gone_at_once_and_can_be_started_again(tmp_path: Path) -> None:
    one = program("import time; time.sleep(60)", tmp_path)
    one.start()
    first = one.pid
    assert first is not None
    one.kill()
    assert is_gone(first)
    one.start()
    assert one.is_running
    assert one.pid != first
    one.kill_all()
    assert not one.is_running


async def test_what_was_never_started_needs_no_stopping(tmp_path: Path) -> None:
    assert await program("", tmp_path).stop(grace_s=0)


@pytest.mark.parametrize("name", ["plain", "with ) in it", "with space"])
def test_a_session_is_read_from_proc_whatever_a_program_is_called(tmp_path: Path, name: str) -> None:
    for pid, state, session in ((11, "S", 10), (12, "Z", 10), (13, "R", 99)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({name}) {state} 1 10 {session} 0 -1\n")
    (tmp_path / "meminfo").write_text("")
    (tmp_path / "14").mkdir()  # ended while we look
    assert session_members(10, proc=tmp_path) == (11,)
    assert not is_gone(11, proc=tmp_path)
    assert is_gone(12, proc=tmp_path)
    assert is_gone(14, proc=tmp_path)
