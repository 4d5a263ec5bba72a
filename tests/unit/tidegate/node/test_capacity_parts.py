"""A node's part of a region's capacity, by what nodes say of themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.messages import Parts, Report
from health.state.embedded import EmbeddedStore
from health.state.soft import Saying
from tests.harness.control import House, connect
from tidegate.demo.waiting import until
from tidegate.node import nodes
from tidegate.node.capacity_parts import parts


async def test_it_is_reckoned_from_what_all_nodes_would_send_there(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.document["regions"][0]["capacity"] = "100/s"
    house.write()
    control = house.control()
    assert isinstance(control.state, EmbeddedStore)

    def hear(name: str, number: int, said: dict[str, Any]) -> None:
        control.state.soft_book.hear([Saying(f"{name}/1", number, "node", name, said, 5)])  # type: ignore[attr-defined]

    try:
        control.publisher.publish()
        for slot, rate in enumerate((120.0, 30.0)):
            await connect(house, control, slot, Report(1, 0, 0, [], [], demands={"eu": rate}))
        sessions = control.publisher.sessions
        await until(lambda: sessions[0].parts == Parts({"eu": 1.0}), within_s=5, what="workers are told", every_s=0)
        own = nodes.announcement(control)
        assert own["demands"] == {"eu": 150.0}, "its workers' together"
        control.state.announce(nodes.KIND, control.plan.node_id, own, ttl_s=5)
        assert parts(control).parts == {"eu": 1.0}, "nobody else is heard, and no other is configured"
        hear("gw2", 1, {**own, "region": "us", "demands": {"eu": 50.0}})
        hear("gw3", 1, {"odd": 1})
        assert parts(control).parts == {"eu": pytest.approx(0.025 + 0.95 * 0.75, abs=0.001)}
        hear("gw2", 2, {key: value for key, value in own.items() if key != "demands"})
        assert parts(control).parts == {"eu": pytest.approx(0.975, abs=0.001)}, "a node that says nothing of it yet"
    finally:
        await house.tasks.close()
        await control.close()
