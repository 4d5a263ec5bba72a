"""The words of the command line."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.harness.configuration import document
from tests.harness.node import ports
from tidegate.cli import app

runner = CliRunner()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tidegate.yaml"
    path.write_text(json.dumps(document()))
    return path


def test_the_version_is_the_packages() -> None:
    told = runner.invoke(app, ["--version"])
    assert (told.exit_code, told.stdout) == (0, f"tidegate {metadata.version('tidegate')}\n")


def test_help_names_every_command() -> None:
    told = runner.invoke(app, ["--help"])
    assert told.exit_code == 0
    for command in ("serve", "check", "schema", "explain", "status", "demo"):
        assert command in told.stdout


@pytest.mark.parametrize("words", [["nonsense"], ["explain"], ["status", "--nonsense"]])
def test_misuse_is_exit_code_2(words: list[str]) -> None:
    assert runner.invoke(app, words).exit_code == 2


def test_check_takes_the_file_from_the_environment_too(file: Path) -> None:
    assert runner.invoke(app, ["check", str(file)]).exit_code == 0
    assert runner.invoke(app, ["check"], env={"TIDEGATE_CONFIG": str(file)}).exit_code == 0
    file.write_text("colour: blue")
    assert runner.invoke(app, ["check", str(file), "--json"]).exit_code == 2


def test_the_schema_is_json() -> None:
    assert json.loads(runner.invoke(app, ["schema"]).stdout)["title"] == "Tidegate configuration"


def test_explain_offline_reads_method_headers_and_client(file: Path) -> None:
    words = ["explain", "--config", str(file), "--client-ip", "81.2.69.142", "-H", "Accept: */*", "--json"]
    told = runner.invoke(app, [*words, "get", "http://a.example/x"])
    assert told.exit_code == 0
    assert json.loads(told.stdout)["client"] == {"ip": "81.2.69.142", "country": "GB", "country_by": "address"}


def test_a_header_without_a_name_is_misuse(file: Path) -> None:
    told = runner.invoke(app, ["explain", "--config", str(file), "-H", "nonsense", "GET", "http://a/"])
    assert told.exit_code == 2


def test_a_node_that_is_not_there_is_exit_code_3() -> None:
    where = f"http://127.0.0.1:{ports(1)[0]}"
    assert runner.invoke(app, ["status", "--admin", where]).exit_code == 3
    assert runner.invoke(app, ["explain", "--admin", where, "GET", "http://a/"]).exit_code == 3


def test_serve_with_a_bad_file_is_exit_code_2(file: Path) -> None:
    file.write_text("colour: blue")
    assert runner.invoke(app, ["serve", "--config", str(file)]).exit_code == 2
