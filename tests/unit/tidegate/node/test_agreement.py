"""The stores of a node, and who leads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from health.core.rows import Unavailable
from tests.harness.control import House
from tidegate.node.agreement import make_agreement
from tidegate.node.logs import Log, silent
from tidegate.node.startup import choose


async def test_state_outlives_the_process_and_each_run_leads_in_a_newer_epoch(tmp_path: Path) -> None:
    house = House(tmp_path)
    config = choose(house.file, disk=house.disk, environ={}).loaded.config
    first = make_agreement(config, environ={}, log=silent())
    await first.state.put("drain", "eu", {}, expected=0, epoch=first.leadership.epoch)
    await first.local_state.put("drain", "us", {}, expected=0)
    await first.close()
    second = make_agreement(config, environ={}, log=silent())
    assert [row.key for row in second.state.rows("drain")] == ["eu"]
    assert [row.key for row in second.local_state.rows("drain")] == ["us"]
    assert (second.leadership.epoch or 0) > (first.leadership.epoch or 0)
    await second.close()


async def test_a_damaged_file_is_said_and_kept(tmp_path: Path) -> None:
    house = House(tmp_path)
    (tmp_path / "data" / "state.sqlite").write_bytes(b"x" * 4096)
    lines: list[dict[str, Any]] = []
    config = choose(house.file, disk=house.disk, environ={}).loaded.config
    made = make_agreement(config, environ={}, log=Log(lines.append))
    await made.close()
    assert lines[0]["kept_as"].endswith("state.sqlite.damaged-1")


def test_a_directory_that_cannot_hold_the_state_is_named(tmp_path: Path) -> None:
    house = House(tmp_path)
    (tmp_path / "data").rmdir()
    config = choose(house.file, disk=house.disk, environ={}).loaded.config
    with pytest.raises(Unavailable, match=r"local\.sqlite: unable to open"):
        make_agreement(config, environ={}, log=silent())
