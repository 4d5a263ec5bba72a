"""`tidegate serve`, up to the moment in which it becomes the supervisor."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.harness.configuration import document
from tidegate.commands.serve import ONE_PROCESS, SUPERVISED, serve
from tidegate.node.disk import Disk, LastGood
from tidegate.node.logs import silent
from tidegate.node.plan import decode_plan


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tidegate.yaml"
    path.write_text(json.dumps(document()))
    return path


def run(file: Path) -> tuple[int, str, list[str]]:
    became: list[str] = []
    err = io.StringIO()

    def become(arguments: list[str]) -> int:
        became.extend(arguments)
        return 0

    return serve(file, environ={}, err=err, become=become), err.getvalue(), became


def test_a_good_file_becomes_a_supervisor_with_a_plan(file: Path) -> None:
    code, told, became = run(file)
    assert (code, told) == (0, "")
    assert became[:4] == [sys.executable, "-P", "-m", SUPERVISED]
    assert decode_plan(became[4]).config_file == str(file)


def test_without_workers_it_becomes_one_process(file: Path) -> None:
    changed = document()
    changed["node"]["workers"] = 0
    file.write_text(json.dumps(changed))
    assert run(file)[2][3] == ONE_PROCESS


def test_a_bad_file_starts_nothing_and_lists_every_mistake(file: Path) -> None:
    file.write_text("colour: blue\ntaste: sour\n")
    code, told, became = run(file)
    assert (code, became) == (2, [])
    assert "colour" in told
    assert "taste" in told
    assert "nothing was started" in told
    assert not (file.parent / "data").exists()


def test_a_bad_file_with_a_last_good_one_starts_on_that_and_says_so(file: Path) -> None:
    (file.parent / "data").mkdir()
    Disk(file.parent / "data", silent()).save_last_good(LastGood(str(file), file.read_text(), "", 0.0))
    file.write_text("colour: blue\n")
    code, told, became = run(file)
    assert code == 0
    assert "starting on the last good configuration, degraded" in told
    assert "colour" in told
    assert decode_plan(became[4]).node_id == "gw1"
