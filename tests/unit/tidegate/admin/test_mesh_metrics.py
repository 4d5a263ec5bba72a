"""The numbers about the mesh."""

from __future__ import annotations

from health.state.embedded import EmbeddedStore
from health.state.soft import Saying
from tests.harness.control import House
from tidegate.admin.mesh_metrics import mesh_metrics
from tidegate.node import nodes


async def test_leader_epoch_and_nodes_are_counted(house: House) -> None:
    control = house.control()
    control.state.announce(nodes.KIND, "gw1", nodes.announcement(control), ttl_s=5)
    assert isinstance(control.state, EmbeddedStore)
    other = {**nodes.announcement(control), "config": "another"}
    control.state.soft_book.hear([Saying("gw2/1", 1, "node", "gw2", other, 5)])
    found = {sample.name: sample.value for metric in mesh_metrics(control) for sample in metric.samples}
    assert found["tidegate_leader"] == 1
    assert found["tidegate_leader_epoch"] == control.leadership.epoch
    assert (found["tidegate_nodes"], found["tidegate_nodes_other_config"]) == (2, 1)
    assert found["tidegate_state_frozen"] == 0
