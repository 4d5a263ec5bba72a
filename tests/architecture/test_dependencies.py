"""What Tidegate needs is declared, pinned and explained: all three, for each package."""

from __future__ import annotations

from importlib.metadata import packages_distributions
from pathlib import Path

from tests.architecture import dependencies
from tests.architecture.exemptions import AWAITED_DEPENDENCIES
from tests.architecture.tree import REPOSITORY, expect_none, plant

PROJECT = """
[build-system]
requires = ["hatchling>=1"]
[project]
name = "tidegate"
dependencies = ["aiohttp>=3", "PyYAML>=6"]
[project.optional-dependencies]
redis = ["redis>=8"]
all = ["tidegate[redis]"]
[dependency-groups]
build = ["hatchling>=1"]
dev = [{include-group = "build"}, "pytest>=9"]
"""
REASONS = "".join(f"| `{name}` | MIT | a reason |\n" for name in ("aiohttp", "hatchling", "pyyaml", "redis", "pytest"))


def test_every_dependency_has_its_reason_and_every_reason_its_dependency() -> None:
    expect_none(dependencies.unexplained_dependencies(REPOSITORY))


def test_reasons_for_every_group_satisfy_the_rule(tmp_path: Path) -> None:
    plant(tmp_path, {"pyproject.toml": PROJECT, "docs/dependencies.md": REASONS})
    assert list(dependencies.unexplained_dependencies(tmp_path)) == []


def test_a_missing_an_extra_and_an_empty_reason_are_found(tmp_path: Path) -> None:
    document = REASONS.replace("`redis`", "`valkey`").replace("| `pytest` | MIT | a reason |", "| `pytest` | MIT | |")
    plant(tmp_path, {"pyproject.toml": PROJECT, "docs/dependencies.md": document})
    assert list(dependencies.unexplained_dependencies(tmp_path)) == [
        "pyproject.toml asks for redis, expected its reason in docs/dependencies.md",
        "docs/dependencies.md explains valkey, expected it in pyproject.toml",
        "docs/dependencies.md leaves a cell of pytest empty, expected licence and reason",
    ]


def test_nothing_is_imported_that_is_not_declared() -> None:
    expect_none(dependencies.undeclared_imports(REPOSITORY, packages_distributions()))


def test_an_undeclared_and_a_developers_import_are_found(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            "pyproject.toml": PROJECT,
            "gateway/thing.py": "import asyncio, aiohttp, yaml, redis, multidict, pytest, config\n",
            "chaos/thing.py": "import pytest\n",
        },
    )
    provided = {
        "aiohttp": ["aiohttp"],
        "yaml": ["PyYAML"],
        "multidict": ["multidict"],
        "redis": ["redis"],
        "pytest": ["pytest"],
    }
    assert list(dependencies.undeclared_imports(tmp_path, provided)) == [
        "gateway/thing.py:1 imports multidict of multidict, expected a declared dependency",
        "gateway/thing.py:1 imports pytest of pytest, expected a declared dependency",
    ]


def test_nothing_is_installed_that_is_not_imported() -> None:
    expect_none(dependencies.idle_dependencies(REPOSITORY, packages_distributions(), AWAITED_DEPENDENCIES))


def test_a_dependency_that_nothing_imports_is_found_unless_it_is_optional(tmp_path: Path) -> None:
    plant(tmp_path, {"pyproject.toml": PROJECT, "gateway/thing.py": "import aiohttp\n"})
    assert list(dependencies.idle_dependencies(tmp_path, {"aiohttp": ["aiohttp"], "yaml": ["PyYAML"]}, {})) == [
        "pyproject.toml asks for pyyaml, which no module imports, expected it gone"
    ]


def test_an_awaited_dependency_may_be_idle_until_it_is_imported(tmp_path: Path) -> None:
    plant(tmp_path, {"pyproject.toml": PROJECT, "gateway/thing.py": "import aiohttp\n"})
    provided = {"aiohttp": ["aiohttp"], "yaml": ["PyYAML"]}
    assert list(dependencies.idle_dependencies(tmp_path, provided, {"pyyaml": "soon", "aiohttp": "soon"})) == [
        "aiohttp is excused by AWAITED_DEPENDENCIES in tests/architecture/exemptions.py and needs no excuse"
    ]


def test_every_dependency_is_pinned_in_the_lock_files() -> None:
    expect_none(dependencies.unlocked_dependencies(REPOSITORY))


def test_a_lock_file_that_was_not_recompiled_is_found(tmp_path: Path) -> None:
    run = "aiohttp==3.1 \\\npyyaml==6.0 \\\n"
    plant(
        tmp_path,
        {
            "pyproject.toml": PROJECT,
            "requirements.lock": run,
            "requirements-build.lock": "",
            "requirements-dev.lock": run + "redis==8.0\nhatchling==1.0\n",
        },
    )
    assert [found.split(",")[0] for found in dependencies.unlocked_dependencies(tmp_path)] == [
        "requirements.lock does not pin redis",
        "requirements-build.lock does not pin hatchling",
        "requirements-dev.lock does not pin pytest",
    ]
