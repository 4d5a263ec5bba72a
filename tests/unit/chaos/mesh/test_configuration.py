"""The file that all nodes of the mesh read."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.experiments import COLUMNS
from chaos.mesh import certificates
from chaos.mesh.configuration import configuration
from chaos.mesh.plan import REGIONS, Setting
from config.loader import load_text

SETTINGS = [*dict.fromkeys(one.setting for one in COLUMNS)]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_every_node_accepts_the_file_without_a_warning_and_all_have_the_same(setting: Setting, tmp_path: Path) -> None:
    authority, nodes = certificates.issue(tmp_path / "certificates")
    text = configuration(setting, nodes[0], authority=authority)
    loaded = [load_text(text, file=tmp_path / "t.yaml", environ=node.environment()) for node in nodes]
    assert [warning for one in loaded for warning in one.warnings] == []
    assert [one.config.node.region for one in loaded] == [*REGIONS]
    assert len({one.shared_digest for one in loaded}) == 1
    assert any(route.id == "shared" for route in loaded[0].config.routes) == setting.counts_together
