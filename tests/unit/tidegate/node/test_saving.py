"""What the next start finds of this one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.harness.control import House
from tidegate.demo.waiting import until

ENDPOINT = "api/eu/127.0.0.1:7001"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    await made.tasks.close()


async def test_verdicts_and_version_outlive_the_process(house: House) -> None:
    first = house.control()
    house.prober.say(ENDPOINT, "down")
    await until(
        lambda: first.snapshot is not None and first.snapshot.version == 2,
        within_s=5,
        what="it is published",
        every_s=0,
    )
    first.saving.verdicts()
    second = house.control()
    assert second.snapshot is not None
    assert second.snapshot.version == 3
    assert house.prober.restored[ENDPOINT].health == "down"


async def test_the_configuration_is_kept_for_a_later_start(house: House) -> None:
    house.control()
    await until(lambda: house.disk.last_good(house.file) is not None, within_s=5, what="it is on the disk", every_s=0)
    saved = house.disk.last_good(house.file)
    assert saved is not None
    assert saved.text == house.file.read_text()


async def test_a_disk_that_is_full_is_said_and_serving_goes_on(house: House) -> None:
    control = house.control()
    (house.file.parent / "data").rename(house.file.parent / "gone")
    control.saving.verdicts()
    assert any("cannot keep verdicts" in line["event"] for line in house.lines)
