"""An audit log that a real node has written, read by ourselves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chaos.mesh import audit
from tidegate.node.audit_log import AuditLog, folder_of


async def written(data_dir: Path, *ids: str) -> Path:
    """By one process; its segment."""
    log = AuditLog(folder_of(str(data_dir)), node_id="gw", wall=lambda: 1.0, loop=asyncio.get_running_loop())
    for request in ids:
        log.write({"kind": "transfer", "request_id": request, "destination": "us-east"})
    log.close()
    return max((data_dir / "audit").glob("*.log"), key=lambda path: path.stat().st_mtime_ns)


async def test_what_was_written_is_read_and_follows(tmp_path: Path) -> None:
    await written(tmp_path, "r1", "r2")
    await written(tmp_path, "r3")
    log = audit.read(tmp_path)
    assert {one.request_id for one in log.records if one.kind == "transfer"} == {"r1", "r2", "r3"}
    assert log.faults == ()


async def test_half_a_line_at_the_end_is_no_record_and_no_fault(tmp_path: Path) -> None:
    segment = await written(tmp_path, "r1", "r2")
    segment.write_bytes(segment.read_bytes()[:-9])
    log = audit.read(tmp_path)
    assert [one.request_id for one in log.records if one.kind == "transfer"] == ["r1"]
    assert log.faults == ()


@pytest.mark.parametrize("harm", [lambda data: data.replace(b"r1", b"r9"), lambda data: data.partition(b"\n")[2]])
async def test_a_line_that_was_changed_or_taken_out_is_said(harm: object, tmp_path: Path) -> None:
    segment = await written(tmp_path, "r1", "r2")
    segment.write_bytes(harm(segment.read_bytes()))  # type: ignore[operator]
    (fault,) = audit.read(tmp_path).faults
    assert fault.endswith("a line that does not follow from the one before")


async def test_the_end_of_a_finished_segment_that_is_missing_is_said(tmp_path: Path) -> None:
    first = await written(tmp_path, "r1", "r2")
    await written(tmp_path, "r3")
    lines = first.read_bytes().splitlines(keepends=True)
    first.write_bytes(b"".join(lines[:-1]))
    (fault,) = audit.read(tmp_path).faults
    assert "its end is not the one that" in fault
