"""Both ends of the operators' socket, over a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.data_api import DataApi
from tidegate.node.data_operator import DataAbsent, DataLine, DataOperator
from tidegate.node.handover import DataDirSockets
from tidegate.node.logs import silent
from tidegate.node.sync_status import SyncStatus


@dataclass
class Room:
    api: DataApi
    line: DataLine
    operator: DataOperator


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
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
        line = DataLine(tmp_path)
        yield Room(api, line, operator)
        await line.close()
        await operator.close()
        directory.close()


async def test_status_and_quarantine_are_told(room: Room) -> None:
    await room.api.put("notes", "k", b"v")
    status, told = await room.line.ask("GET", "/status")
    assert (status, told["peers"], told["member"]) == (200, [], None)
    assert next(one for one in told["collections"] if one["collection"] == "notes")["figures"]["keys"] == 1
    assert await room.line.ask("GET", "/quarantine", query={"limit": "5"}) == (200, {"held": [], "distrusted": []})
    status, told = await room.line.ask("POST", "/quarantine", body=b'{"collection": "notes"}')
    assert (status, told["applied"]) == (200, 0)


async def test_control_is_told_how_the_store_stands_and_how_far_it_is(room: Room) -> None:
    await room.api.put("notes", "k", b"v")
    status, told = await room.line.ask("GET", "/standing")
    assert (status, told["lag"]) == (200, [])
    assert next(one for one in told["collections"] if one["collection"] == "notes")["written"] == 1
    status, told = await room.line.ask("GET", "/progress")
    assert (status, told["members"][0]["member"]) == (200, told["own"])


async def test_the_data_api_is_behind_it_too_whatever_the_key_is_called(room: Room) -> None:
    key = "a%2Fb%25"
    for value in (b"1", b"2"):
        await room.api.put("forms", key, value)
    status, told = await room.line.ask("GET", f"/data/v1/forms/{key}/conflict")
    assert (status, len(told["siblings"])) == (200, 2)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("GET", "/nowhere", None, 404, "no_such_path"),
        ("DELETE", "/status", None, 404, "no_such_path"),
        ("POST", "/quarantine", b"[", 400, "malformed_body"),
        ("POST", "/quarantine", b'{"collection": "nonsense"}', 404, "unknown_collection"),
        ("POST", "/quarantine", b" " * 70_000, 413, "body_too_large"),
        ("GET", "/quarantine?limit=x", None, 400, "bad_limit"),
        ("GET", "/data/v1/nonsense/conflicts", None, 404, "unknown_collection"),
    ],
)
async def test_what_is_not_understood_is_a_problem_document(  # noqa: PLR0917
    room: Room, method: str, path: str, body: bytes | None, status: int, reason: str
) -> None:
    found, told = await room.line.ask(method, path, body=body)
    assert (found, told["reason"]) == (status, reason)


async def test_a_process_that_is_not_there_is_said_to_be_absent(room: Room) -> None:
    await room.operator.close()
    with pytest.raises(DataAbsent):
        await room.line.ask("GET", "/status")
