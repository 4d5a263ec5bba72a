"""Control's way to the process that holds the data: answered, refused, silent, and back again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from tests.harness.data_api import DataApi
from tidegate.node.data_operator import PRIMARIES, DataOperator
from tidegate.node.data_side import DataSilent, DataSocket
from tidegate.node.handover import DataDirSockets
from tidegate.node.logs import silent
from tidegate.node.sync_status import STANDING, SyncStatus


@asynccontextmanager
async def serving(tmp_path: Path) -> AsyncIterator[None]:
    async with DataApi(tmp_path) as api:
        directory = DataDirSockets(tmp_path)
        operator = DataOperator(
            api.records,
            api.server,
            replication=lambda: None,
            faults=dict,
            status=SyncStatus(api.records.store),
            directory=directory,
            log=silent(),
        )
        await operator.open()
        yield
        await operator.close()
        directory.close()


async def test_it_says_how_it_stands_and_takes_what_it_is_told(tmp_path: Path) -> None:
    side = DataSocket(tmp_path)
    async with serving(tmp_path):
        assert "collections" in msgspec.json.decode(await side.get(STANDING, timeout_s=5.0))
        assert await side.tell(PRIMARIES, b"{}", timeout_s=5.0)
        assert not await side.tell(PRIMARIES, b"nonsense", timeout_s=5.0), "refused is not told"
        with pytest.raises(DataSilent, match="status 404"):
            await side.get("/nothing", timeout_s=5.0)
    await side.close()


async def test_without_the_process_it_is_silent_and_answers_once_it_is_back(tmp_path: Path) -> None:
    side = DataSocket(tmp_path)
    with pytest.raises(DataSilent):
        await side.get(STANDING, timeout_s=5.0)
    assert not await side.tell(PRIMARIES, b"{}", timeout_s=5.0)
    async with serving(tmp_path):
        assert await side.get(STANDING, timeout_s=5.0)
    await side.close()
    await side.close()
