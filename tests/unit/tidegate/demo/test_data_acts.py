"""A profile on another region's disk is found; nothing to search is nothing shown. The act is played by `make test`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.demo.data_acts import searched
from tidegate.demo.setting import PORTS_NEEDED, Plan, plan


@pytest.fixture
def planned(tmp_path: Path) -> Plan:
    made = plan(range(20_000, 20_000 + PORTS_NEEDED), directory=tmp_path)
    for node in made.nodes:
        (node.data_dir / "sync").mkdir(parents=True)
        (node.data_dir / "sync" / "store").write_bytes(b"notes of all")
    return made


def test_a_canary_at_home_only_is_as_promised(planned: Plan) -> None:
    (planned.node("eu-west").data_dir / "sync" / "wal").write_bytes(b"..canary 1..")
    promise = searched(planned, b"canary 1")
    assert (promise.is_kept, promise.found) == (True, "searched 2 files of the others")


def test_a_canary_abroad_is_found(planned: Plan) -> None:
    for region in ("eu-west", "ap-south"):
        (planned.node(region).data_dir / "sync" / "wal").write_bytes(b"..canary 1..")
    promise = searched(planned, b"canary 1")
    assert not promise.is_kept
    assert "gw-ap-south.data/sync/wal" in promise.found


def test_a_canary_that_is_not_even_at_home_shows_nothing(planned: Plan) -> None:
    assert not searched(planned, b"canary 1").is_kept
