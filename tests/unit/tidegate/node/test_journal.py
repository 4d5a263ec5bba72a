"""Lines that survive a kill, and files that stay bounded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from health.state.embedded import EmbeddedStore
from tidegate.node import journal as module
from tidegate.node.audit_log import AuditLog, segments
from tidegate.node.core.audit_chain import faults
from tidegate.node.journal import Journal
from tidegate.node.journal_files import MAX_FILE_BYTES, JournalFiles
from tidegate.node.logs import Log


class Desk:
    """A directory, a state store, and journals over them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lines: list[dict[str, Any]] = []
        self.state = EmbeddedStore(directory / "state.sqlite", owner="gw1/1", clock=lambda: 0.0)
        self.at = 100.0
        self.opened: list[Journal] = []
        self.audit = AuditLog(directory / "audit", node_id="gw1", wall=lambda: self.at, loop=asyncio.get_running_loop())

    def journal(self, node: str = "gw1") -> Journal:
        made = Journal(
            JournalFiles(self.directory),
            audit=self.audit,
            node=node,
            state=self.state,
            wall=lambda: self.at,
            log=Log(self.lines.append),
        )
        self.opened.append(made)
        return made

    def audited(self) -> list[dict[str, Any]]:
        """What the audit log says on the disk, and that it is sound."""
        found = segments(self.directory / "audit")
        assert list(faults(found)) == []
        return [record for one in found.values() for record in one.records if record["kind"] != "opened"]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.audit.close()
    for journal in made.opened:
        journal.close()


async def begun(journal: Journal, target: str = "region/eu") -> module.Decision:
    return await journal.begin("drain", target, author="ann", why="patching", evidence={"over_s": 1.0})


async def test_a_decision_is_there_after_a_restart_with_its_outcome(desk: Desk) -> None:
    journal = desk.journal()
    await journal.end(await begun(journal), "done", "as asked")
    (found,) = desk.journal().decisions()
    assert (found.what, found.target, found.author, found.why) == ("drain", "region/eu", "ann", "patching")
    assert (found.outcome, found.detail, found.evidence, found.at) == ("done", "as asked", {"over_s": 1.0}, 100.0)


async def test_one_that_a_kill_cut_short_reads_as_interrupted(desk: Desk) -> None:
    await begun(desk.journal())
    after = desk.journal()
    assert [one.outcome for one in after.decisions()] == ["interrupted"]
    second = await begun(after)
    assert second.seq == 2


async def test_a_torn_line_is_passed_over_and_the_next_one_is_whole(desk: Desk) -> None:
    journal = desk.journal()
    await journal.end(await begun(journal), "done")
    file = desk.directory / "decisions.jsonl"
    with file.open("ab") as torn:
        torn.write(b'{"id":"gw1-2","se')
    after = desk.journal()
    await after.end(await begun(after, "region/us"), "done")
    assert [one.target for one in desk.journal().decisions()] == ["region/us", "region/eu"]
    assert any("unreadable" in line["event"] for line in desk.lines)


async def test_the_line_is_on_the_disk_before_the_act(desk: Desk) -> None:
    journal = desk.journal()
    await begun(journal)
    assert json.loads((desk.directory / "decisions.jsonl").read_text())["outcome"] == "begun"


async def test_what_cannot_be_written_down_is_not_begun(desk: Desk) -> None:
    journal = desk.journal()
    (desk.directory / "decisions.jsonl").mkdir()
    with pytest.raises(OSError, match="directory"):
        await begun(journal)
    assert journal.decisions() == []


async def test_two_files_of_bounded_size_hold_the_latest(desk: Desk) -> None:
    journal = desk.journal()
    big = "x" * 500_000
    for number in range(20):
        decision = await journal.begin("drain", f"region/r{number}", author="ann", why=big)
        await journal.end(decision, "done")
    sizes = [(desk.directory / name).stat().st_size for name in ("decisions.jsonl", "decisions.1.jsonl")]
    assert max(sizes) < MAX_FILE_BYTES + 2 * len(big)
    assert desk.journal().decisions()[0].target == "region/r19"


async def test_other_nodes_see_it_by_its_row_and_rows_are_used_again(desk: Desk) -> None:
    journal = desk.journal()
    for number in range(module.SHARED + 3):
        decision = await journal.begin("drain", f"region/r{number}", author="ann", why="", epoch=7)
        await journal.end(decision, "done")
    assert len(desk.state.rows(module.KIND)) == module.SHARED
    (desk.directory / "elsewhere").mkdir()
    other = Journal(
        JournalFiles(desk.directory / "elsewhere"),
        audit=desk.audit,
        node="gw2",
        state=desk.state,
        wall=lambda: 0.0,
        log=Log(desk.lines.append),
    )
    desk.opened.append(other)
    latest = other.decisions(limit=1)[0]
    assert (latest.target, latest.node, latest.epoch) == (f"region/r{module.SHARED + 2}", "gw1", 7)


async def test_whoever_waits_is_told_of_the_next_line(desk: Desk) -> None:
    journal = desk.journal()
    waiting = asyncio.get_running_loop().create_task(journal.changed(journal.revision))
    await asyncio.sleep(0)
    assert not waiting.done()
    await begun(journal)
    assert await asyncio.wait_for(waiting, 5) == 1


async def test_each_decision_is_in_the_audit_log_before_the_act_and_after_it(desk: Desk) -> None:
    journal = desk.journal()
    decision = await journal.begin(
        "promote", "region/us", author="ann", why="eu burns", evidence={"would_lose": "nothing"}, epoch=7
    )
    said = {"decision": "gw1-1", "action": "promote", "target": "region/us", "author": "ann", "reason": "eu burns"}
    common = {"at": 100.0, "node": "gw1", "kind": "decision", "epoch": 7, **said}
    begun = {"n": 1, "outcome": "begun", "detail": "", "evidence": {"would_lose": "nothing"}}
    assert desk.audited() == [common | begun], "on the disk when the act begins"
    await journal.end(decision, "refused", "us is down")
    assert desk.audited()[1] == common | {"n": 2, "outcome": "refused", "detail": "us is down"}


async def test_what_cannot_be_written_down_is_said_in_the_audit_log(desk: Desk) -> None:
    (desk.directory / "decisions.jsonl").mkdir()
    with pytest.raises(OSError, match="directory"):
        await begun(desk.journal())
    assert [(one["outcome"], "no journal, no act" in one["detail"]) for one in desk.audited()] == [
        ("begun", False),
        ("failed", True),
    ]
