"""The words of `tidegate sync`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.harness.node import ports
from tidegate.cli import app

runner = CliRunner()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["resolve", "forms", "k"], "--choose"),
        (["resolve", "forms", "k", "--choose", "1@a", "--file", "x"], "--choose"),
        (["resolve", "forms", "k", "--file", "/there/is/none"], "/there/is/none"),
        (["quarantine", "--retry"], "--retry without a collection"),
        (["quarantine", "--release", "1@a"], "--release without a collection"),
        (["quarantine", "forms", "--release", "1@a", "--retry"], "expected one of them"),
        (["conflicts", "forms", "--limit", "0"], "--limit"),
        (["nonsense"], "nonsense"),
        (["restore", "b", "--config", "/there/is/none.yaml"], "/there/is/none.yaml"),
    ],
)
def test_misuse_is_exit_code_2_and_said(words: list[str], found: str) -> None:
    told = runner.invoke(app, ["sync", *words])
    assert (told.exit_code, found in told.output) == (2, True), told.output


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["lag"],
        ["conflicts", "f"],
        ["conflicts", "f", "k"],
        ["quarantine"],
        ["resolve", "f", "k"],
        ["members"],
        ["evict", "us"],
        ["snapshot", "f"],
        ["backup"],
    ],
)
def test_a_node_that_is_not_there_is_exit_code_3(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(b"1")
    more = ["--file", str(tmp_path / "v")] if words[0] == "resolve" else []
    told = runner.invoke(app, ["sync", *words, *more, "--admin", f"http://127.0.0.1:{ports(1)[0]}"])
    assert (told.exit_code, "is it running" in told.output) == (3, True)
