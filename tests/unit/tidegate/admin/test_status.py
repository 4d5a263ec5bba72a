"""What a node says about itself."""

from __future__ import annotations

import os

from gateway.messages import EndpointCount, Report
from tests.harness.control import House, connect
from tidegate.admin.status import status
from tidegate.node.lifeline import ChildState, Processes

ENDPOINT = "api/eu/127.0.0.1:7001"


async def test_it_names_node_processes_regions_and_endpoints(house: House) -> None:
    control = house.control()
    control.processes = Processes(
        5,
        [
            ChildState("control", -1, os.getpid(), 0, ready=True),
            ChildState("worker", 0, 1000, 2, ready=True),
            ChildState("worker", 1, None, 1, ready=False),
        ],
    )
    house.prober.say(ENDPOINT, "up")
    await connect(house, control, 0, Report(1, 3, 1, [], [EndpointCount(ENDPOINT, 9, 2, 1, 4)]))
    told = status(control)
    assert control.snapshot is not None
    assert (told["node"], told["region"], told["state"]) == ("gw1", "eu", "ready")
    assert told["version"] == control.snapshot.version
    assert told["processes"]["supervisor"] == {"pid": 5, "alive": True}
    assert told["processes"]["children"][1:] == [
        {
            "role": "worker",
            "slot": 0,
            "pid": 1000,
            "restarts": 2,
            "ready": True,
            "version": 1,
            "connections": 3,
            "in_flight": 1,
        },
        {"role": "worker", "slot": 1, "pid": None, "restarts": 1, "ready": False},
    ]
    [endpoint] = told["endpoints"]
    assert (endpoint["endpoint"], endpoint["health"], endpoint["in_flight"]) == (ENDPOINT, "up", 4)
    assert (endpoint["attempts"], endpoint["connect_failures"], endpoint["failures"]) == (9, 2, 1)
    assert told["services"] == ["api"]
    [service] = told["service_health"]
    assert (service["service"], service["health"], service["reason"]) == ("api", "up", "1 of 1 endpoint up")
    assert told["regions"][0]["rtt_s"] == told["region_rtts"]["eu"] == 0.01
    assert told["config"]["last_reload"] is None
    assert told["config"]["source"] == "file"


async def test_a_refused_reload_is_told_with_its_problems(house: House) -> None:
    control = house.control()
    house.file.write_text("colour: blue")
    await control.reload("test")
    last = status(control)["config"]["last_reload"]
    assert not last["ok"]
    assert any("colour" in problem for problem in last["problems"])


async def test_a_dead_supervisor_is_told(house: House) -> None:
    control = house.control()
    control.processes = Processes(5, [])
    control.is_orphan = True
    told = status(control)
    assert told["processes"]["supervisor"] == {"pid": 5, "alive": False}
    assert any("supervisor is gone" in reason for reason in told["degraded"])


async def test_in_one_process_the_data_plane_speaks_for_itself(house: House) -> None:
    control = house.control()
    await connect(house, control, 0)
    told = status(control)["processes"]
    assert told["supervisor"] is None
    assert [(child["role"], child["pid"]) for child in told["children"]] == [("worker", 1000)]
