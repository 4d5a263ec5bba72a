"""What was acknowledged has reached the disk; a full disk costs writes only, and only while it is full."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.harness.faulty_disk import FaultyDisk
from tests.integration.sync.sqlite.test_file import open_one
from tests.integration.sync.store_contract import NOTES
from tests.integration.tidegate.node.test_replication import ask, put_until_done, serves_data, two_regions

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="the faulty disk is built by a C compiler")

WRITER = """
import sys
from pathlib import Path
from tests.integration.sync.sqlite.test_file import open_one
from tests.integration.sync.store_contract import NOW, put
opened = open_one(Path(sys.argv[1]))
if sys.argv[2] == "careless":
    opened.ledger.connection.execute("PRAGMA synchronous = OFF")
number = 0
while True:
    number += 1
    opened.ledger.write([(put(f"k{number}", b"x" * 2000), NOW)])
    print(number, flush=True)
"""


def acknowledged_and_survived(tmp_path: Path, manner: str, *, writes: int) -> tuple[int, int]:
    """How many writes a process acknowledged before its power went, and how many of them are on the disk."""
    folder = tmp_path / "data"
    folder.mkdir()
    disk = FaultyDisk(tmp_path, watched=folder)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder / "a.db"), manner],
        env={**os.environ, **disk.environ, "PYTHONPATH": os.getcwd()},  # noqa: PTH109 - the repository
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(writes)]
        process.kill()
        told += [int(line) for line in process.stdout if line.strip().isdecimal()]
    opened = open_one(disk.survived / "a.db")
    kept = opened.views().stats(NOTES).keys
    opened.close()
    return told[-1], kept


def test_every_acknowledged_write_survives_a_power_loss(tmp_path: Path) -> None:
    acknowledged, kept = acknowledged_and_survived(tmp_path, "careful", writes=300)
    assert kept >= acknowledged >= 300


def test_without_syncs_acknowledged_writes_would_be_lost_and_this_disk_would_show_it(tmp_path: Path) -> None:
    acknowledged, kept = acknowledged_and_survived(tmp_path, "careless", writes=300)
    assert kept < acknowledged


async def test_a_full_disk_refuses_writes_with_507_serves_reads_and_recovers_by_itself(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    disk = FaultyDisk(tmp_path / "disk", watched=tmp_path / "eu" / "data" / "sync")
    async with two_regions(tmp_path, workers=0, secrets=disk.environ) as (eu, us):
        await put_until_done(eu, "notes/before", b"v")
        supervisor = eu.supervisor
        assert supervisor is not None
        disk.fill()
        status, _, body = await ask(eu, "PUT", "notes/full", b"v")
        assert (status, b"store_full" in body or b"no room" in body) == (507, True), body
        assert (await ask(eu, "GET", "notes/before"))[0] == 200
        await put_until_done(us, "notes/elsewhere", b"w")
        disk.empty()
        await put_until_done(eu, "notes/after", b"v")

        async def has_come() -> bool:
            return (await ask(eu, "GET", "notes/elsewhere"))[0] == 200

        await eu.until(has_come, "what was written elsewhere meanwhile", within_s=60)
        await eu.until(partial(serves_data, eu), "data is served", within_s=60)
        assert supervisor.poll() is None
        assert (await ask(eu, "GET", "notes/full"))[0] == 404
