"""Which processes belong to a data directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.node import census
from tidegate.node.census import AlreadyRunning, DataDirUnusable, Resident


def test_the_lock_makes_the_directory_and_names_its_holder(tmp_path: Path) -> None:
    descriptor = census.take_lock(tmp_path / "a" / "data")
    with pytest.raises(AlreadyRunning, match=rf"pid {os.getpid()}\)"):
        census.take_lock(tmp_path / "a" / "data")
    os.close(descriptor)
    os.close(census.take_lock(tmp_path / "a" / "data"))


def test_the_lock_is_inherited_by_nobody(tmp_path: Path) -> None:
    descriptor = census.take_lock(tmp_path)
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def test_a_data_dir_that_cannot_be_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirUnusable, match="make it writable for this user or choose another"):
        census.take_lock(tmp_path / "file" / "data")


def test_a_living_process_has_a_start_time_and_a_dead_one_none() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = census.start_time(child.pid)
        assert started is not None
        assert started >= (census.start_time(os.getpid()) or 0)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert census.start_time(child.pid) is None, "a zombie serves nobody"
    assert census.start_time(child.pid) is None


def test_orphans_are_those_that_live_and_are_who_they_were(tmp_path: Path) -> None:
    me = os.getpid()
    started = census.start_time(me)
    assert started is not None
    mine = Resident("worker", 0, me, started)
    census.write(tmp_path, 1, [mine, Resident("worker", 1, me, started + 1), Resident("control", -1, 2**22 + 1, 5)])
    assert census.orphans(tmp_path) == [mine]


def test_a_census_of_another_boot_is_of_no_use(tmp_path: Path) -> None:
    me = os.getpid()
    census.write(tmp_path, 1, [Resident("worker", 0, me, census.start_time(me) or 0)])
    path = tmp_path / census.CENSUS
    path.write_bytes(path.read_bytes().replace(census.boot_id().encode(), b"another"))
    assert census.orphans(tmp_path) == []


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"boot_id": 1}'])
def test_no_census_or_a_damaged_one_names_nobody(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / census.CENSUS).write_bytes(content)
    assert census.orphans(tmp_path) == []
