"""Whether nodes count together, as the data planes say."""

from __future__ import annotations

from pathlib import Path

from gateway.messages import AdmissionGauges, Report
from tests.harness.control import House, connect
from tidegate.node import shared_limits


async def test_a_store_that_one_data_plane_cannot_reach_is_told_with_the_reason(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.document["node"]["workers"] = 2
    house.write()
    control = house.control()
    for slot, why in enumerate(("", "ConnectionError: refused")):
        gauges = AdmissionGauges(stores={"region": "", "global": why})
        await connect(house, control, slot, Report(1, 0, 0, [], [], admission=gauges))
    assert shared_limits.standing(control) == {
        "global": {"shared": False, "problem": "ConnectionError: refused"},
        "region": {"shared": True, "problem": None},
    }
    sentence = "limits of scope global are counted by this node's share alone: ConnectionError: refused"
    assert control.degraded() == [sentence]
    await house.tasks.close()
