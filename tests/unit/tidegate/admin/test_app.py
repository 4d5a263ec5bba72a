"""The admin API over a real socket."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from config.mesh_keys import routing_signer
from gateway.core.debugging import DebugLedger
from gateway.messages import Report
from tests.harness.control import House, connect
from tests.harness.node import Answer, fetch, ports
from tidegate.admin.app import AdminServer, serve_admin
from tidegate.node import sockets
from tidegate.node.control import Control
from tidegate.node.logs import silent
from tidegate.node.plan import Address


class Asked:
    """An admin API, and questions to it."""

    def __init__(self, control: Control, port: int) -> None:
        self.control = control
        self.port = port
        self.runner: AdminServer

    async def ask(
        self, path: str, *, method: str = "GET", body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return await fetch(method, f"http://127.0.0.1:{self.port}{path}", headers=headers, body=raw)


@pytest.fixture
async def admin(house: House) -> AsyncIterator[Asked]:
    control = house.control()
    await connect(house, control, 0)
    asked = Asked(control, ports(1)[0])
    listening: socket.socket = sockets.listen(Address("admin", "127.0.0.1", asked.port, "admin.bind"))
    asked.runner = await serve_admin(control, listening, environ={"TOKEN": "s3cret"}, log=silent(), tasks=house.tasks)
    yield asked
    await asked.runner.cleanup()


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
async def test_health_is_a_word(admin: Asked, path: str) -> None:
    answer = await admin.ask(path)
    assert (answer.status, answer.body) == (200, b"ok\n")


async def test_a_node_that_is_being_stopped_is_alive_and_not_ready(admin: Asked) -> None:
    admin.control.is_draining = True
    assert (await admin.ask("/livez")).status == 200
    assert (await admin.ask("/readyz")).status == 503
    answer = await admin.ask("/readyz?verbose")
    assert answer.status == 503
    assert b"[-]not-draining" in answer.body


async def test_head_is_asked_like_get(admin: Asked) -> None:
    answer = await admin.ask("/livez", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")


async def test_status_and_openapi_are_json(admin: Asked) -> None:
    assert (await admin.ask("/v1/status")).json()["node"] == "gw1"
    assert (await admin.ask("/openapi.json")).json()["openapi"] == "3.1.0"


async def test_metrics_stand_where_the_configuration_says_until_they_are_off(admin: Asked, house: House) -> None:
    assert b"tidegate_ready 1.0" in (await admin.ask("/metrics")).body
    house.document["observability"] = {"metrics": {"enabled": True, "path": "/numbers"}}
    house.write()
    assert (await admin.control.reload("test")).ok
    assert (await admin.ask("/metrics")).status == 404
    assert (await admin.ask("/numbers")).status == 200
    house.document["observability"]["metrics"]["enabled"] = False
    house.write()
    assert (await admin.control.reload("test")).ok
    assert (await admin.ask("/numbers")).status == 404


async def test_explain_answers_with_every_candidate(admin: Asked) -> None:
    body = {"method": "GET", "url": "http://a.example/x", "client_ip": "81.2.69.142", "headers": {"Accept": "*/*"}}
    answer = await admin.ask("/v1/explain", method="POST", body=body)
    assert answer.status == 200
    explanation = answer.json()
    assert explanation["route"] == "api"
    assert {candidate["endpoint"] for candidate in explanation["candidates"]} == {
        "api/eu/127.0.0.1:7001",
        "api/us/127.0.0.1:7002",
    }
    assert explanation["decision"]["endpoint"] == "api/eu/127.0.0.1:7001"
    assert "assumed" not in explanation


async def test_explain_believes_whom_the_listener_trusts(admin: Asked, house: House) -> None:
    body = {"method": "GET", "url": "/", "client_ip": "81.2.69.142", "headers": {"Host": "a", "CF-IPCountry": "DE"}}
    house.document["geo"] = {"country_header": "CF-IPCountry"}
    house.file.write_text(json.dumps(house.document))
    assert (await admin.control.reload("test")).ok
    told = (await admin.ask("/v1/explain", method="POST", body=body)).json()
    assert told["client"] == {"ip": "81.2.69.142", "country": "GB", "country_by": "address"}
    house.document["listeners"][0]["trusted_proxies"] = ["81.2.69.0/24"]
    house.file.write_text(json.dumps(house.document))
    assert (await admin.control.reload("test")).ok
    told = (await admin.ask("/v1/explain", method="POST", body=body)).json()
    assert told["client"] == {"ip": "81.2.69.142", "country": "DE", "country_by": "CF-IPCountry"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        {"method": "GET"},
        {"method": 1, "url": "/"},
        {"method": "GET", "url": "/", "extra": 1},
        {"method": "GE T", "url": "http://a/"},
        {"method": "GET", "url": "http://[/"},
        {"method": "GET", "url": "http://a/", "headers": {"a\r\nb": "c"}},
    ],
)
async def test_a_request_that_cannot_be_explained_gets_a_problem_document(admin: Asked, body: Any) -> None:
    answer = await admin.ask("/v1/explain", method="POST", body=body)
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 400
    assert answer.json()["detail"]


async def test_a_body_above_the_bound_is_refused(admin: Asked) -> None:
    answer = await admin.ask("/v1/explain", method="POST", body=b"x" * 70_000)
    assert answer.status == 413
    assert answer.json()["reason"] == "body_too_large"


async def test_an_unknown_path_and_a_wrong_method_say_what_there_is(admin: Asked) -> None:
    unknown = await admin.ask("/v1/nothing")
    assert (unknown.status, unknown.json()["reason"]) == (404, "no_such_path")
    wrong = await admin.ask("/v1/explain")
    assert (wrong.status, wrong.headers["Allow"]) == (405, "POST")
    assert (await admin.ask("/v1/status", method="DELETE")).headers["Allow"] == "GET"


async def test_a_foreign_host_name_gets_no_further(admin: Asked) -> None:
    answer = await admin.ask("/v1/status", headers={"Host": "evil.example"})
    assert (answer.status, answer.json()["reason"]) == (421, "foreign_host")
    assert (await admin.ask("/livez", headers={"Host": "evil.example"})).status == 200
    verbose = await admin.ask("/readyz?verbose", headers={"Host": "evil.example"})
    assert verbose.body == b"ok\n", "reasons are for those who may ask"


async def test_with_tokens_everything_but_health_needs_one(admin: Asked, house: House) -> None:
    house.document["admin"]["tokens"] = [{"name": "ops", "role": "viewer", "token": "env:TOKEN"}]
    house.file.write_text(json.dumps(house.document))
    house.environ["TOKEN"] = "s3cret"
    assert (await admin.control.reload("test")).ok
    for path in ("/v1/status", "/metrics", "/openapi.json"):
        answer = await admin.ask(path)
        assert (answer.status, answer.headers["Www-Authenticate"]) == (401, 'Bearer realm="tidegate"')
        assert (await admin.ask(path, headers={"Authorization": "Bearer s3cret"})).status == 200
    assert (await admin.ask("/readyz")).status == 200


async def test_a_defect_is_an_answer_and_not_a_closed_connection(admin: Asked, house: House) -> None:
    def fail() -> None:
        raise RuntimeError("a defect")

    house.prober.regions = fail  # type: ignore[assignment,method-assign]  # the defect to be shown
    answer = await admin.ask("/v1/status")
    assert (answer.status, answer.json()["reason"]) == (500, "defect")


async def test_an_operator_gets_a_field_that_data_planes_believe_and_reads_what_it_brought(
    admin: Asked, house: House
) -> None:
    tokens = [
        {"name": "ops", "role": "operator", "token": "env:TOKEN"},
        {"name": "eyes", "role": "viewer", "token": "env:OTHER"},
    ]
    house.document["admin"]["tokens"] = tokens
    house.file.write_text(json.dumps(house.document))
    house.environ |= {"TOKEN": "s3cret", "OTHER": "0ther"}
    assert (await admin.control.reload("test")).ok
    ops = {"Authorization": "Bearer s3cret"}
    for body, status in (({"valid_s": 0}, 400), ({"valid_s": 9999}, 400), (b"{", 400), ({"x": 1}, 400)):
        assert (await admin.ask("/v1/explanations", method="POST", body=body, headers=ops)).status == status
    eyes = {"Authorization": "Bearer 0ther"}
    assert (await admin.ask("/v1/explanations", method="POST", headers=eyes)).status in {401, 403}

    made = (await admin.ask("/v1/explanations", method="POST", body={"valid_s": 60}, headers=ops)).json()
    assert made["name"] == "Tidegate-Debug"
    signer = routing_signer(admin.control.configuration.loaded.config, environ=house.environ)
    assert signer is not None
    assert DebugLedger().takes(signer, [made["value"].encode()], now=admin.control.wall())

    await connect(house, admin.control, 1, Report(1, 0, 0, [], [], explanations=[{"id": "a-1", "route": "r"}]))
    assert (await admin.ask("/v1/explanations/a-1", headers=ops)).json() == {"id": "a-1", "route": "r"}
    missing = await admin.ask("/v1/explanations/a-2", headers=ops)
    assert (missing.status, missing.json()["reason"]) == (404, "no_such_explanation")
