"""compose.yaml, up: what it starts, in namespaces of its own, answers through each published gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import REPOSITORY
from tests.integration.compose.container import Mesh, sweep
from tests.integration.compose.images import covers, images
from tests.integration.compose.project import read_project

TOKEN = "a-token-of-this-test"
REGIONS = ("eu-west", "us-east", "ap-south")
UP_WITHIN_S = 60.0
NOTICED_WITHIN_S = 10.0


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    sweep()
    directory: Path = tmp_path_factory.mktemp("compose")
    file = REPOSITORY / "compose" / "compose.yaml"
    services = read_project(file, images=images(), environ={"TIDEGATE_OPERATOR_TOKEN": TOKEN})
    mesh = Mesh(directory, services, covers())
    mesh.open()
    try:
        mesh.up(within_s=UP_WITHIN_S)
        yield mesh
    finally:
        mesh.close()


def gateway(mesh: Mesh, region: str) -> str:
    return f"{mesh.services[f'gw-{region}'].address}:8080"


def answered_by(mesh: Mesh, region: str, path: str) -> str:
    answer = mesh.ask(gateway(mesh, region), path)
    assert answer.status == 200, (answer, mesh.tails())
    return str(json.loads(answer.body)["region"])


@pytest.mark.timeout(180)
@pytest.mark.parametrize("region", REGIONS)
def test_every_gateway_answers_from_the_region_that_its_route_asks_for(mesh: Mesh, region: str) -> None:
    assert answered_by(mesh, region, "/orders/1") == "eu-west"
    assert answered_by(mesh, region, "/feed/1") == region


def test_personal_data_is_answered_where_it_may_be_and_sent_there_from_elsewhere(mesh: Mesh) -> None:
    assert answered_by(mesh, "eu-west", "/profile/1") == "eu-west"
    elsewhere = mesh.ask(gateway(mesh, "us-east"), "/profile/1?x=1")
    assert (elsewhere.status, elsewhere.headers["Location"]) == (308, "http://127.0.0.1:8081/profile/1?x=1")


@pytest.mark.parametrize("region", REGIONS)
def test_the_admin_api_knows_its_node_and_wants_the_operators_token(mesh: Mesh, region: str) -> None:
    admin = f"{mesh.services[f'gw-{region}'].address}:9900"
    assert mesh.ask(admin, "/livez").status == 200
    assert mesh.ask(admin, "/v1/status").status == 401
    status = mesh.ask(admin, "/v1/status", headers={"Authorization": f"Bearer {TOKEN}"})
    assert status.status == 200
    assert f"gw-{region}" in status.body


def test_a_stopped_backend_is_left_and_its_neighbour_answers(mesh: Mesh) -> None:
    assert mesh.containers["us-east-1"].stop() == 0
    answers = [mesh.ask(gateway(mesh, "us-east"), f"/feed/{number}") for number in range(10)]
    assert {(answer.status, answer.headers["X-Backend"]) for answer in answers} == {(200, "us-east-2")}


def test_the_stores_run_with_the_arguments_of_the_file(mesh: Mesh) -> None:
    query = ("psql", "--username=tidegate", "--dbname=tidegate", "--tuples-only", "--no-align", "--command")
    shown = mesh.containers["postgres"].run((*query, "SHOW max_connections"))
    assert shown.stdout.strip() == "200", shown.stderr
    policy = mesh.containers["redis"].run(("redis-cli", "CONFIG", "GET", "maxmemory-policy"))
    assert policy.stdout.split() == ["maxmemory-policy", "noeviction"]


def test_a_container_stops_by_sigterm_alone_within_its_grace(mesh: Mesh) -> None:
    container = mesh.containers["gw-ap-south"]
    assert container.stop() == 0, container.tail()
