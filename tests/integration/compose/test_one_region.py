"""compose.minimal.yaml, up: one region, everything embedded, the image's own health check."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.tree import REPOSITORY
from tests.integration.compose.container import Mesh, sweep
from tests.integration.compose.images import covers, images
from tests.integration.compose.project import read_project


@pytest.mark.timeout(120)
def test_the_least_there_is_to_run_answers_and_stops(tmp_path: Path) -> None:
    sweep()
    services = read_project(REPOSITORY / "compose" / "compose.minimal.yaml", images=images(), environ={})
    mesh = Mesh(tmp_path, services, covers())
    mesh.open()
    try:
        mesh.up(within_s=60.0)
        answer = mesh.ask(f"{services['gateway'].address}:8080", "/hello")
        assert (answer.status, answer.headers["X-Backend"]) == (200, "eu-west-1")
        assert mesh.containers["gateway"].stop() == 0, mesh.tails()
    finally:
        mesh.close()
