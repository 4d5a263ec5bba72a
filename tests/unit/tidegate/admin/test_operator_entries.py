"""Drains and overrides over a real socket: who may, what is refused, how ids are written."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.harness.control import House, connect
from tests.harness.node import Answer, fetch, ports
from tidegate.admin.app import serve_admin
from tidegate.node import sockets
from tidegate.node.logs import silent
from tidegate.node.plan import Address

EU = "api/eu/127.0.0.1:7001"


class Office:
    """An admin API with a viewer's and an operator's token."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def ask(self, method: str, path: str, body: Any = None, *, who: str = "operator") -> Answer:
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {who}-token"}
        return await fetch(method, f"http://127.0.0.1:{self.port}{path}", headers=headers, body=raw)


@pytest.fixture
async def office(house: House) -> AsyncIterator[Office]:
    house.document["admin"]["tokens"] = [
        {"name": name, "role": name, "token": f"env:{name.upper()}"} for name in ("viewer", "operator")
    ]
    house.write()
    environ = {"VIEWER": "viewer-token", "OPERATOR": "operator-token"}
    house.environ.update(environ)
    control = house.control()
    await connect(house, control, 0)
    port = ports(1)[0]
    runner = await serve_admin(
        control,
        sockets.listen(Address("admin", "127.0.0.1", port, "admin.bind")),
        environ=environ,
        log=silent(),
        tasks=house.tasks,
    )
    yield Office(port)
    await runner.cleanup()


async def test_a_drain_begins_with_202_is_shown_and_taken_back(office: Office) -> None:
    begun = await office.ask("POST", "/v1/regions/eu/drain", {"over": "60s", "reason": "patching"})
    assert (begun.status, begun.json()["state"], begun.json()["author"]) == (202, "draining", "operator")
    again = await office.ask("POST", "/v1/regions/eu/drain", {"over": "60s", "reason": "patching"})
    assert again.status == 200
    assert (await office.ask("GET", "/v1/regions/eu/drain", who="viewer")).json()["reason"] == "patching"
    assert len((await office.ask("GET", "/v1/drains", who="viewer")).json()["drains"]) == 1
    back = await office.ask("DELETE", "/v1/regions/eu/drain?over=0s&reason=done")
    assert (back.status, back.json()["state"]) == (202, "serving")
    said = (await office.ask("GET", "/v1/decisions?limit=1", who="viewer")).json()["decisions"]
    assert [(one["what"], one["why"]) for one in said] == [("undrain", "done")]


async def test_a_viewer_sees_and_does_not_touch(office: Office) -> None:
    for method, path in (
        ("POST", "/v1/regions/eu/drain"),
        ("DELETE", "/v1/regions/eu/drain"),
        ("POST", f"/v1/endpoints/{EU}/override"),
    ):
        answer = await office.ask(method, path, {}, who="viewer")
        assert (answer.status, answer.json()["reason"]) == (403, "role_too_low")
    for path in ("/v1/regions", "/v1/services/api/endpoints", "/v1/decisions"):
        assert (await office.ask("GET", path, who="viewer")).status == 200


@pytest.mark.parametrize("written", [EU, quote(EU, safe=""), quote(EU, safe="/")])
async def test_an_endpoints_id_is_found_however_its_slashes_are_written(office: Office, written: str) -> None:
    begun = await office.ask("POST", f"/v1/endpoints/{written}/drain", b"")
    assert (begun.status, begun.json()["target"]) == (202, f"endpoint/{EU}")
    forced = await office.ask("POST", f"/v1/endpoints/{written}/override", {"state": "up"})
    assert (forced.status, forced.json()["override"]["state"]) == (202, "up")


async def test_the_last_place_is_refused_with_409_and_the_sentence(office: Office) -> None:
    refused = await office.ask("POST", "/v1/services/api/drain", {})
    assert (refused.status, refused.json()["reason"]) == (409, "drain_refused")
    assert "no endpoint of service api for route api" in refused.json()["detail"]
    assert (await office.ask("POST", "/v1/services/api/drain", {"force": True})).status == 202


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("POST", "/v1/regions/mars/drain", {}, 404, "no_such_region"),
        ("GET", "/v1/regions/eu/drain", None, 404, "no_drain"),
        ("POST", "/v1/regions/eu/drain", b"[", 400, "malformed_body"),
        ("POST", "/v1/regions/eu/drain", {"ovre": "1s"}, 400, "malformed_body"),
        ("POST", "/v1/endpoints/api/eu/drain", {}, 404, "no_such_endpoint"),
        ("POST", f"/v1/endpoints/{EU}/override", {"state": "sideways"}, 400, "malformed_body"),
        ("GET", "/v1/decisions?limit=0", None, 400, "malformed_query"),
        ("GET", "/v1/decisions?limit=all", None, 400, "malformed_query"),
        ("PUT", "/v1/regions/eu/drain", None, 405, "method_not_allowed"),
    ],
)
async def test_what_is_not_understood_is_a_problem_document(  # noqa: PLR0917
    office: Office, method: str, path: str, body: Any, status: int, reason: str
) -> None:
    answer = await office.ask(method, path, body)
    assert (answer.status, answer.json()["reason"]) == (status, reason)


async def test_what_cannot_be_journalled_is_not_done(office: Office, house: House) -> None:
    (house.file.parent / "data" / "decisions.jsonl").mkdir()
    answer = await office.ask("POST", "/v1/regions/eu/drain", {})
    assert (answer.status, answer.json()["reason"]) == (503, "journal_unwritable")
    assert (await office.ask("GET", "/v1/drains")).json() == {"drains": []}


async def test_services_are_listed_with_their_health_by_region(office: Office, house: House) -> None:
    before = (await office.ask("GET", "/v1/services", who="viewer")).json()["services"]
    assert [(one["service"], one["health"], one["reason"], one["regions"]) for one in before] == [
        ("api", "untested", "no endpoints", [])
    ]
    house.prober.say(EU, "up")
    house.prober.say("api/us/127.0.0.1:7002", "down")
    (service,) = (await office.ask("GET", "/v1/services", who="viewer")).json()["services"]
    assert (service["health"], service["healthy"], service["total"]) == ("degraded", 1, 2)
    assert service["reason"] == "1 of 2 endpoints up, down in us"
    assert [(one["region"], one["health"]) for one in service["regions"]] == [("eu", "up"), ("us", "down")]
