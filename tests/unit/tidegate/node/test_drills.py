"""What is shown of scheduled drills."""

from __future__ import annotations

from pathlib import Path

from tests.harness.control import House
from tidegate.node.drills import rehearsed, shown


async def test_without_a_schedule_there_is_nothing_and_with_one_there_is_the_next_time(tmp_path: Path) -> None:
    house = House(tmp_path)
    control = house.control()
    assert shown(control) is None
    house.document["disaster_recovery"] = {"drill": {"schedule": "0 4 * * 0", "region": "eu"}}
    house.write()
    await control.reload("a test")
    told = shown(control)
    assert told is not None
    # 1970 began on a Thursday.
    assert (told["region"], told["next_at"], told["last"]) == ("eu", 3 * 86400 + 4 * 3600, None)
    await control.state.put("drill", "eu", {"odd": 1}, expected=0)
    assert rehearsed(control) == {}, "of a newer program"
    await house.tasks.close()
    await control.close()
