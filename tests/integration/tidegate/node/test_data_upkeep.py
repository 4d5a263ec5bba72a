"""Orders to the data's long life on the operators' socket of a node that nobody replicates and nothing backs up."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from sync.api.problems import Problem
from tests.harness.data_api import DataApi
from tidegate.node.data_operator import DataLine, DataOperator
from tidegate.node.data_upkeep import DataUpkeep
from tidegate.node.handover import DataDirSockets
from tidegate.node.logs import silent
from tidegate.node.sync_status import SyncStatus
from tidegate.node.tasks import Tasks


async def test_a_backup_of_what_lies_in_a_database_is_refused_with_the_name_of_the_tool(tmp_path: Path) -> None:
    tasks = Tasks(silent())
    upkeep = DataUpkeep(replication=lambda: None, backups=None, tasks=tasks, is_in_database=True)
    with pytest.raises(Problem, match="pg_basebackup") as refused:
        await upkeep.answers["POST", "/backup"](make_mocked_request("POST", "/backup"))
    assert (refused.value.status, refused.value.reason) == (409, "backed_up_by_the_database")
    await tasks.close()


async def test_what_cannot_be_done_is_refused_by_name(tmp_path: Path) -> None:
    async with DataApi(tmp_path) as api:
        directory, tasks = DataDirSockets(tmp_path), Tasks(silent())
        operator = DataOperator(
            api.records,
            api.server,
            replication=lambda: None,
            faults=dict,
            status=SyncStatus(api.records.store),
            directory=directory,
            log=silent(),
        )
        operator.answers |= DataUpkeep(replication=lambda: None, backups=None, tasks=tasks).answers
        await operator.open()
        line = DataLine(tmp_path)
        assert await line.ask("GET", "/upkeep") == (
            200,
            {"members": [], "comparisons": [], "snapshot": None, "backup": None},
        )
        for path, body, status, reason in [
            ("/evict", b'{"member": "us"}', 409, "not_replicated"),
            ("/snapshot", b'{"collection": "notes"}', 409, "not_replicated"),
            ("/backup", b"", 409, "no_backup"),
            ("/evict", b'{"nonsense": 1}', 400, "malformed_body"),
        ]:
            found, told = await line.ask("POST", path, body=body)
            assert (found, told["reason"]) == (status, reason), path
        await line.close()
        await operator.close()
        await tasks.close()
        directory.close()
