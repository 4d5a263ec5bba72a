"""The nodes of a mesh, as one of them lists and compares them."""

from __future__ import annotations

from pathlib import Path

from health.state.embedded import EmbeddedStore
from health.state.soft import Saying
from tests.harness.control import House
from tidegate.node import nodes


async def test_a_node_lists_itself_and_those_it_hears_and_names_whose_configuration_differs(tmp_path: Path) -> None:
    house = House(tmp_path)
    control = house.control()
    control.state.announce(nodes.KIND, "gw1", nodes.announcement(control), ttl_s=5)
    assert isinstance(control.state, EmbeddedStore)
    other = {**nodes.announcement(control), "config": "another", "region": "us"}
    control.state.soft_book.hear(
        [Saying("gw2/1", 1, "node", "gw2", other, 5), Saying("gw3/1", 1, "node", "gw3", {"odd": 1}, 5)]
    )
    told = nodes.listed(control)
    assert [(one["node"], one["region"], one["same_config"], one["leader"]) for one in told["nodes"]] == [
        ("gw1", "eu", True, True),
        ("gw2", "us", False, False),
    ]
    assert (told["leader"], told["state"], told["unreached"]) == ("gw1", "ok", [])
    assert nodes.disagreements(control) == ["another configuration than this node's is in force on gw2"]
    assert control.degraded()[0] == nodes.disagreements(control)[0]
    await house.tasks.close()
    await control.close()
