"""`tidegate demo` as a person runs it: it ends when it should, says how it went, and leaves nothing running.

The whole play is run by `make test` itself; here a short one.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tidegate.demo.processes import is_gone, session_members
from tidegate.demo.waiting import until

SHORT = """
import sys
from tidegate.demo.play import ACTS
from tidegate.demo.main import run
sys.exit(run(once={once}, as_json={as_json}, acts=ACTS[:1]))
"""


class Running:
    """A demo in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""

    async def says(self, words: str) -> None:
        assert self.process.stderr is not None
        while words not in self.said:
            line = await asyncio.wait_for(self.process.stderr.readline(), 60)
            assert line, f"it ended without saying {words!r}: {self.said}"
            self.said += line.decode()

    def descendants(self) -> set[int]:
        return {pid for child in children(self.process.pid) for pid in session_members(child)}


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def is_empty(directory: Path) -> bool:
    return not any(directory.iterdir())


async def demo(tmp_path: Path, *, once: bool) -> Running:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SHORT.format(once=once, as_json=True)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    return Running(process)


@pytest.fixture
async def lingering(tmp_path: Path) -> AsyncIterator[Running]:
    """A demo that has played its act and waits for Ctrl-C."""
    running = await demo(tmp_path, once=False)
    await running.says("Ctrl-C ends the demo")
    yield running
    if running.process.returncode is None:
        running.process.kill()
    await running.process.wait()


async def test_once_ends_by_itself_with_every_promise_as_json_and_leaves_no_file(tmp_path: Path) -> None:
    running = await demo(tmp_path, once=True)
    out, err = await asyncio.wait_for(running.process.communicate(), 100)
    told = json.loads(out)
    assert (running.process.returncode, told["kept"]) == (0, True), err.decode()
    assert [act["title"] for act in told["acts"]] == ["Calm", "The end"]
    assert re.search(r"all \d+ promises kept", err.decode())
    assert is_empty(tmp_path)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_everything_in_order(tmp_path: Path, lingering: Running, how: signal.Signals) -> None:
    started = lingering.descendants()
    assert len(started) >= 9
    lingering.process.send_signal(how)
    out, err = await asyncio.wait_for(lingering.process.communicate(), 30)
    assert (lingering.process.returncode, json.loads(out)["kept"]) == (0, True), err.decode()
    assert all(is_gone(pid) for pid in started)
    assert is_empty(tmp_path)


async def test_a_signal_while_it_starts_stops_what_has_started(tmp_path: Path) -> None:
    running = await demo(tmp_path, once=False)
    await running.says("is ready")
    started = running.descendants()
    running.process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(running.process.communicate(), 30)
    assert running.process.returncode == 0, err.decode()
    assert all(is_gone(pid) for pid in started)
    assert is_empty(tmp_path)


async def test_once_that_is_cut_short_has_failed_and_leaves_its_logs(tmp_path: Path) -> None:
    running = await demo(tmp_path, once=True)
    await running.says("is ready")
    running.process.send_signal(signal.SIGTERM)
    out, err = await asyncio.wait_for(running.process.communicate(), 30)
    assert (running.process.returncode, json.loads(out)["complete"]) == (1, False)
    assert "configuration and logs are in" in err.decode()
    assert not is_empty(tmp_path)


async def test_even_a_killed_demo_leaves_nothing_running(lingering: Running) -> None:
    started = lingering.descendants()
    lingering.process.kill()
    await lingering.process.wait()
    await until(lambda: all(is_gone(pid) for pid in started), within_s=60, what="the end of all that it started")
