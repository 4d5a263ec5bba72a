"""Rooms import downwards only; the rule is shown to fail on every arrow that is forbidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.directions import wrong_directions
from tests.architecture.tree import REPOSITORY, expect_none, modules, plant


def test_every_import_goes_down_the_house() -> None:
    expect_none(wrong_directions(REPOSITORY))


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("config", "health"),
        ("config", "tidegate"),
        ("health", "gateway"),
        ("health", "tidegate"),
        ("gateway", "sync"),
        ("gateway", "tidegate"),
        ("sync", "gateway"),
        ("sync", "tidegate"),
        ("tidegate", "chaos"),
        ("gateway", "tests"),
    ],
)
def test_an_import_up_or_across_is_found(tmp_path: Path, importer: str, imported: str) -> None:
    plant(tmp_path, {f"{importer}/thing.py": f"import {imported}.part\n"})
    (found,) = wrong_directions(tmp_path)
    assert found.startswith(f"{importer}/thing.py:1 {importer} imports {imported}.part, expected only ")


@pytest.mark.parametrize(
    "source",
    [
        "def late():\n    from tidegate import node\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tidegate.node import tasks\n",
        "from ..tidegate import node\n",
        "from tidegate import *\n",
    ],
)
def test_no_way_of_writing_an_import_escapes(tmp_path: Path, source: str) -> None:
    plant(tmp_path, {"health/thing.py": source})
    assert len(list(wrong_directions(tmp_path))) == 1


def test_imports_that_go_down_are_allowed(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            "tidegate/thing.py": "import gateway, sync, health, config\n",
            "gateway/thing.py": "from health.core import verdict\nfrom config import models\nimport gateway.errors\n",
            "chaos/thing.py": "import tidegate.cli\n",
        },
    )
    assert list(wrong_directions(tmp_path)) == []


def test_relative_imports_are_resolved_from_where_they_stand(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {"health/core/__init__.py": "from . import verdict\n", "health/core/verdict.py": "from ..probes import http\n"},
    )
    targets = [imported.target for module in modules(tmp_path) for imported in module.imports]
    assert targets == ["health.core.verdict", "health.probes.http"]
