"""The data behind the admin API: who may see what, what is journalled, what the data's own process refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sync.core.operation import decode_head
from tests.harness.control import House
from tests.harness.data_api import DataApi
from tests.harness.node import Answer, fetch, ports
from tidegate.admin.app import serve_admin
from tidegate.node import sockets
from tidegate.node.control import Control
from tidegate.node.data_operator import DataOperator
from tidegate.node.handover import DataDirSockets
from tidegate.node.logs import silent
from tidegate.node.plan import Address
from tidegate.node.sync_status import SyncStatus


@dataclass
class Office:
    """An admin API and a data room over one directory."""

    port: int
    control: Control
    api: DataApi
    operator: DataOperator

    async def ask(self, method: str, path: str, body: Any = None, *, who: str = "operator") -> Answer:
        raw = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {who}-token"}
        return await fetch(method, f"http://127.0.0.1:{self.port}/v1/sync{path}", headers=headers, body=raw)


@pytest.fixture
async def office(house: House, tmp_path: Path) -> AsyncIterator[Office]:
    house.document["admin"]["tokens"] = [
        {"name": name, "role": name, "token": f"env:{name.upper()}"} for name in ("viewer", "operator")
    ]
    house.document["sync"] = {"collections": [{"name": "forms", "data_type": "form", "conflict": "manual"}]}
    house.document["residency"] = {"rules": [{"data_type": "form", "allowed_regions": "*"}]}
    house.write()
    environ = {"VIEWER": "viewer-token", "OPERATOR": "operator-token"}
    house.environ.update(environ)
    data_dir = tmp_path / "data"
    async with DataApi(data_dir) as api:
        control = house.control()
        port = ports(1)[0]
        listening = sockets.listen(Address("admin", "127.0.0.1", port, "admin.bind"))
        runner = await serve_admin(control, listening, environ=environ, log=silent(), tasks=house.tasks)
        directory = DataDirSockets(data_dir)
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
        yield Office(port, control, api, operator)
        await operator.close()
        directory.close()
        await runner.cleanup()


async def test_a_viewer_sees_figures_and_no_key(office: Office) -> None:
    told = await office.ask("GET", "", who="viewer")
    assert told.status == 200
    assert told.json()["node"] == office.control.plan.node_id
    assert {one["collection"] for one in told.json()["collections"]} >= {"forms", "notes"}
    for method, path in (
        ("GET", "/quarantine"),
        ("POST", "/quarantine"),
        ("GET", "/collections/forms/conflicts"),
        ("GET", "/collections/forms/conflict?key=k"),
        ("POST", "/collections/forms/conflict"),
    ):
        assert (await office.ask(method, path, who="viewer")).json()["reason"] == "role_too_low", path


async def test_a_conflict_is_listed_shown_and_resolved_by_an_operation_with_the_operators_name(office: Office) -> None:
    for value in (b"one", b"other"):
        await office.api.put("forms", "a%2Fb", value)
    listed = (await office.ask("GET", "/collections/forms/conflicts?limit=5")).json()
    assert [one["key"] for one in listed["items"]] == ["a/b"]
    shown = (await office.ask("GET", "/collections/forms/conflict?key=a/b")).json()
    body = {"key": "a/b", "context": shown["context"], "choose": shown["siblings"][0]["version"], "reason": "asked ann"}
    done = await office.ask("POST", "/collections/forms/conflict", body)
    assert (done.status, done.json()["resolved"]) == (200, True)
    assert (await office.api.get("forms/a/b")).body == b"one"
    operations = await office.api.store.operations_after("forms", {}, max_operations=9, max_bytes=1 << 20)
    last = decode_head(operations[-1].head)
    assert (last.kind, last.actor) == ("resolve", "operator:operator")
    (said,) = office.control.journal.decisions()
    assert (said.what, said.target, said.author, said.why) == ("resolve", "collection/forms", "operator", "asked ann")
    assert said.outcome == "done"
    assert "a/b" not in repr(said), "the journal goes to regions that may not know the key"


async def test_what_came_after_the_look_stays_in_conflict(office: Office) -> None:
    for value in (b"one", b"other"):
        await office.api.put("forms", "k", value)
    shown = (await office.ask("GET", "/collections/forms/conflict?key=k")).json()
    await office.api.put("forms", "k", b"unseen")
    await office.ask("POST", "/collections/forms/conflict", {"key": "k", "context": shown["context"], "value": 1})
    values = (await office.api.get("forms/k")).json()["siblings"]
    assert len(values) == 2, "the unseen one and the resolution"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("GET", "/collections/nonsense/conflicts", None, 404, "unknown_collection"),
        ("GET", "/collections/abroad/conflicts", None, 421, "region_may_not_hold"),
        ("GET", "/collections/forms/conflict", None, 400, "malformed_query"),
        ("GET", "/collections/forms/conflict?key=none", None, 404, "not_in_conflict"),
        ("POST", "/collections/forms/conflict", {"key": "k"}, 400, "malformed_body"),
        ("POST", "/collections/forms/conflict", {"key": "k", "context": "x", "value": 1}, 400, "bad_context"),
        ("POST", "/quarantine", {"collection": "nonsense"}, 404, "unknown_collection"),
        ("GET", "/quarantine?limit=0", None, 400, "bad_limit"),
    ],
)
async def test_what_is_refused_is_refused_with_its_reason(  # noqa: PLR0917
    office: Office, method: str, path: str, body: Any, status: int, reason: str
) -> None:
    answer = await office.ask(method, path, body)
    assert (answer.status, answer.json()["reason"]) == (status, reason)


async def test_without_the_datas_process_it_is_said_and_the_journal_knows(office: Office) -> None:
    await office.operator.close()
    gone = await office.ask("POST", "/quarantine", {"collection": "forms"})
    assert (gone.status, gone.json()["reason"]) == (503, "data_unavailable")
    assert [one.outcome for one in office.control.journal.decisions()] == ["unknown"]
    assert (await office.ask("GET", "")).status == 503
