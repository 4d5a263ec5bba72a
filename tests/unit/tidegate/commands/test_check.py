"""`tidegate check` and `tidegate schema`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness.configuration import document
from tidegate.commands.check import check, schema


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tidegate.yaml"
    path.write_text(json.dumps(document()))
    return path


def run(file: Path, *, as_json: bool = False) -> tuple[int, str]:
    out = io.StringIO()
    return check(file, environ={}, as_json=as_json, out=out), out.getvalue()


def test_a_good_file_is_good(file: Path) -> None:
    code, told = run(file)
    assert (code, told.splitlines()[-1]) == (0, f"{file}: good")


def test_every_mistake_is_told_with_its_place(file: Path) -> None:
    file.write_text("version: 1\ncolour: blue\ntaste: sour\n")
    code, told = run(file)
    assert code == 2
    assert f"{file}:2:1 colour: found" in told
    assert f"{file}:3:1 taste: found" in told
    assert "mistakes" in told.splitlines()[-1]


def test_a_missing_file_is_a_mistake(tmp_path: Path) -> None:
    code, told = run(tmp_path / "none.yaml")
    assert code == 2
    assert "cannot be read" in told


def test_json_says_the_same_to_programs(file: Path) -> None:
    code, told = run(file, as_json=True)
    good = json.loads(told)
    assert (code, good["ok"], len(good["digest"])) == (0, True, 64)
    file.write_text("colour: blue\n")
    code, told = run(file, as_json=True)
    bad = json.loads(told)
    assert (code, bad["ok"], bad["digest"]) == (2, False, None)
    colour = next(problem for problem in bad["problems"] if problem["path"] == "colour")
    assert (colour["line"], colour["column"], colour["severity"]) == (1, 1, "error")
    assert colour["expected"]


def test_a_warning_keeps_nothing_from_running(file: Path) -> None:
    changed: dict[str, Any] = document()
    changed["routes"].append({"id": "hidden", "match": {"path": "/x"}, "service": "api"})
    file.write_text(json.dumps(changed))
    code, told = run(file)
    assert code == 0
    assert told.startswith("warning: ")
    assert "good, 1 warning" in told


def test_the_schema_is_one_that_editors_know() -> None:
    out = io.StringIO()
    assert schema(out) == 0
    told = json.loads(out.getvalue())
    assert told["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(told["required"]) >= {"regions", "services", "routes"}
