"""Should traffic be sent to this node?"""

from __future__ import annotations

from tests.harness.control import House, connect
from tidegate.admin import readiness
from tidegate.node.lifeline import ChildState, Processes


async def test_a_node_is_ready_once_one_data_plane_serves(house: House) -> None:
    control = house.control()
    assert not readiness.is_ready(control)
    assert readiness.state(control) == "starting"
    await connect(house, control, 0)
    assert readiness.is_ready(control)
    assert readiness.state(control) == "ready"


async def test_a_node_that_is_being_stopped_is_not_ready(house: House) -> None:
    control = house.control()
    await connect(house, control, 0)
    control.is_draining = True
    assert not readiness.is_ready(control)
    assert readiness.state(control) == "draining"
    assert "[-]not-draining being stopped" in readiness.report(control)
    assert readiness.report(control).endswith("readyz check failed\n")


async def test_degraded_is_ready_and_says_why(house: House) -> None:
    control = house.control()
    await connect(house, control, 0)
    assert "[+]data-planes 1 of 2 serve\n" in readiness.report(control)
    assert "[!]degraded data planes not serving: 1 of 2\n" in readiness.report(control)
    assert readiness.report(control).endswith("readyz check passed\n")


async def test_a_node_with_data_is_ready_once_its_data_is_served_and_degraded_while_that_is_gone(house: House) -> None:
    house.document["sync"] = {"collections": [{"name": "notes", "data_type": "notes", "conflict": "manual"}]}
    house.document["residency"] = {"rules": [{"data_type": "notes", "allowed_regions": "*"}]}
    house.write()
    control = house.control()
    await connect(house, control, 0)
    assert not readiness.is_ready(control)
    assert "[-]data not served yet\n" in readiness.report(control)

    def sync(*, ready: bool) -> Processes:
        return Processes(1, [ChildState("sync", -1, 2, 0, ready)])

    control.told(sync(ready=False))
    assert not readiness.is_ready(control)
    control.told(sync(ready=True))
    assert readiness.is_ready(control)
    control.told(sync(ready=False))
    assert readiness.is_ready(control)
    assert "the process that serves the data is not there; it is started again" in control.degraded()
