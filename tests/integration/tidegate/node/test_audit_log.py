"""The audit log on real files: written at once, whole after kill -9, healed, cut by age."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.node.audit_log import MAX_BUFFERED, AuditLog, forget, heal, segments
from tidegate.node.core.audit_chain import faults

NOW = 1_800_000_000.0
WRITER = """
import asyncio, pathlib, sys
from tidegate.node.audit_log import AuditLog
async def main():
    log = AuditLog(pathlib.Path(sys.argv[1]), node_id="a", wall=lambda: 1.8e9, loop=asyncio.get_running_loop())
    number = 0
    while True:
        log.write({"kind": "transfer", "number": number})
        number += 1
        print(number, flush=True)
asyncio.run(main())
"""


def audit_log(folder: Path, *, wall: float = NOW) -> AuditLog:
    return AuditLog(folder, node_id="gw", wall=lambda: wall, loop=asyncio.get_running_loop())


async def test_a_record_is_on_file_before_what_it_tells_of_is_done(tmp_path: Path) -> None:
    log = audit_log(tmp_path / "audit")
    log.write({"kind": "denied", "rule": "profile"})
    log.write({"kind": "denied", "rule": "notes"})
    (found,) = segments(tmp_path / "audit").values()
    assert [record.get("rule") for record in found.records] == [None, "profile", "notes"]
    assert found.records[1]["at"] == NOW
    log.close()


async def test_nothing_is_created_before_the_first_record(tmp_path: Path) -> None:
    audit_log(tmp_path / "audit").close()
    assert not (tmp_path / "audit").exists()


def test_a_killed_writer_leaves_every_record_that_it_has_told_of(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        for _ in range(500):
            told = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
    (found,) = segments(tmp_path).values()
    assert found.fault is None
    assert len(found.records) > told  # the first is the one that opens it


async def test_half_a_record_of_a_dead_writer_is_cut_off_and_its_end_is_noted(tmp_path: Path) -> None:
    first = audit_log(tmp_path)
    first.write({"kind": "denied"})
    first.close()
    (name,) = segments(tmp_path)
    with (tmp_path / f"{name}.log").open("ab") as file:
        file.write(b"0123456789abcdef {half a rec")
    assert segments(tmp_path)[name].is_torn
    second = audit_log(tmp_path, wall=NOW + 5)
    second.write({"kind": "denied"})
    second.close()
    found = segments(tmp_path)
    assert not found[name].is_torn
    assert list(faults(found)) == []
    assert found[max(found)].records[0]["heads"] == {name: found[name].last_hash}


async def test_a_segment_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    living = audit_log(tmp_path)
    living.write({"kind": "denied"})
    assert heal(tmp_path) == {}
    living.close()
    assert len(heal(tmp_path)) == 1


async def test_two_writers_keep_chains_of_their_own(tmp_path: Path) -> None:
    one, other = audit_log(tmp_path), audit_log(tmp_path, wall=NOW + 1)
    for number in range(50):
        one.write({"number": number})
        other.write({"number": number})
        await asyncio.sleep(0)
    one.close()
    other.close()
    found = segments(tmp_path)
    assert list(faults(found)) == []
    assert [len(each.records) for each in found.values()] == [51, 51]


async def test_what_is_older_than_the_retention_goes(tmp_path: Path) -> None:
    old = audit_log(tmp_path)
    old.write({"kind": "denied"})
    old.close()
    path = tmp_path / f"{next(iter(segments(tmp_path)))}.log"
    os.utime(path, (NOW - 100, NOW - 100))
    forget(tmp_path, older_than=NOW - 200)
    assert path.exists()
    fresh = audit_log(tmp_path)
    fresh.retention_s = 50.0
    fresh.write({"kind": "denied"})
    fresh.close()
    assert not path.exists()
    assert len(segments(tmp_path)) == 1


async def test_a_folder_that_cannot_be_written_loses_what_is_beyond_the_buffer_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("a file where the folder should be")
    log = audit_log(tmp_path / "audit")
    for number in range(MAX_BUFFERED + 3):
        log.write({"number": number})
    assert log.lost == 3
    (tmp_path / "audit").unlink()
    log.close()
    (found,) = segments(tmp_path / "audit").values()
    assert len(found.records) == MAX_BUFFERED + 1


@pytest.mark.parametrize("content", [b"", b"\n", b"nonsense\n", b"\xff" * 100])
def test_a_file_that_is_no_log_is_a_fault_or_torn_and_nothing_worse(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.log").write_bytes(content)
    found = segments(tmp_path)["x"]
    assert found.records == ()
    assert (found.fault is not None) == (b"\n" in content)
    heal(tmp_path)
