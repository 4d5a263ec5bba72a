"""No committed file knows the machine it was written on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.architecture.hygiene import traces
from tests.architecture.tree import REPOSITORY, expect_none, files, plant


def test_no_file_knows_a_machine_or_a_registry() -> None:
    expect_none(traces(REPOSITORY))


@pytest.mark.parametrize(
    "line",
    [
        "/".join(("cd ", "work", "main")),
        "/".join(("path = '", "root", ".cache'")),
        "/".join(("see ", "home", "someone", "notes")),
        "--index-" + "url https://mirror.example/simple",
        "--find-" + "links wheels",
        "https://files.python" + "hosted.org/x.whl",
        "GOPROXY=https://proxy.golang" + ".org",
        "# TO" + "DO: later",
    ],
)
def test_a_trace_is_found_with_its_place(tmp_path: Path, line: str) -> None:
    plant(tmp_path, {"deploy/run.txt": f"first\n{line}\n"})
    (found,) = traces(tmp_path)
    assert found.startswith("deploy/run.txt:2 holds ")


@pytest.mark.parametrize(
    "line", ["GET /v1/homework/", "https://a.example/network/root/x", "pip install -r requirements.lock", "./work/x"]
)
def test_what_only_looks_like_a_trace_is_left_alone(tmp_path: Path, line: str) -> None:
    plant(tmp_path, {"README.md": f"{line}\n"})
    assert list(traces(tmp_path)) == []


def test_bytes_that_are_no_text_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(b"\x89PNG\xff\xfe")
    assert list(traces(tmp_path)) == []


def test_a_file_counts_before_it_is_committed_unless_git_ignores_it(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    plant(tmp_path, {".gitignore": "/ignored.txt\n", "ignored.txt": "", "new.txt": ""})
    assert [path.name for path in files(tmp_path)] == [".gitignore", "new.txt"]
