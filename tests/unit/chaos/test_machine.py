"""On what was it measured?"""

from __future__ import annotations

import sys
from pathlib import Path

from chaos import machine


def test_versions_of_all_that_took_part_are_named_and_what_is_not_there_is_unknown(tmp_path: Path) -> None:
    found = machine.facts(tmp_path, toxiproxy=tmp_path / "none")
    assert found["Python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["Toxiproxy"] == "unknown"
    assert "processors" in found["machine"]


def test_outside_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    assert machine.commit(tmp_path) == "unknown"
