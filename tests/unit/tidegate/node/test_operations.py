"""From rows to what data planes route by, and from their reports to how far a drain is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.messages import EndpointCount, EndpointState, OperatorState, Report
from health.core.drain import Target
from tests.harness.control import House, connect
from tidegate.demo.waiting import until
from tidegate.node.control import Control
from tidegate.node.operations import DRAIN, OVERRIDE, PROGRESS, Operations

EU, US = "api/eu/127.0.0.1:7001", "api/us/127.0.0.1:7002"
REGION = Target("region", "eu")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    await made.tasks.close()


def row(**fields: Any) -> dict[str, Any]:
    return {"action": "drain", "over_s": 0.0, "at": 100.0, "author": "ann", "reason": "patching", **fields}


async def ordered(control: Control, **fields: Any) -> Operations:
    await control.state.put(DRAIN, "region/eu", row(**fields), expected=None)
    control.operations.refresh()
    control.operations.apply()
    return control.operations


async def test_a_drained_region_is_an_order_for_each_of_its_endpoints(house: House) -> None:
    control = house.control()
    await ordered(control)
    assert control.operator == {
        EU: OperatorState(0.0, is_draining=True, reason="region eu is drained by ann: patching")
    }
    await until(lambda: control.snapshot is not None and control.snapshot.version > 1, within_s=5, what="published")
    assert control.snapshot is not None
    assert EU in str(control.snapshot.pools["api"]["eu"].passed_over)


async def test_once_the_deadline_has_passed_data_planes_are_told_to_wait_no_longer(house: House) -> None:
    control = house.control()
    await ordered(control, at=40.0, deadline_s=50.0)  # it is 100 now
    assert control.operator[EU].is_overdue
    await ordered(control, at=60.0, deadline_s=50.0)
    assert not control.operator[EU].is_overdue


async def test_rows_alone_are_enough_for_the_next_control_process_before_it_publishes_anything(house: House) -> None:
    first = house.control()
    await ordered(first)
    await house.tasks.close()
    await first.close()
    second = house.control()
    assert second.operator[EU].share == 0.0
    assert second.snapshot is not None
    assert EU in str(second.snapshot.pools["api"]["eu"].passed_over)


async def test_orders_are_kept_for_a_worker_that_starts_without_control(house: House) -> None:
    control = house.control()
    await ordered(control)

    def is_kept() -> bool:
        saved = house.disk.verdicts()
        return saved is not None and saved.operator == {EU: control.operator[EU]}

    await until(is_kept, within_s=10, what="the disk has the order")


async def test_rows_are_followed_without_being_asked(house: House) -> None:
    control = house.control()
    await control.state.put(DRAIN, "service/api", row(), expected=None)
    await until(lambda: set(control.operator) == {EU, US}, within_s=5, what="the order is in force", every_s=0)
    await control.state.delete(DRAIN, "service/api", expected=None)
    await until(lambda: not control.operator, within_s=5, what="it is not any more", every_s=0)


async def test_it_is_drained_once_every_data_plane_knows_and_nothing_flies(house: House) -> None:
    control = house.control()
    operations = await ordered(control)
    assert not operations.progress("all", REGION).settled, "no data plane has said anything"
    control.publisher.publish()
    version = control.publisher.version
    busy = EndpointCount(EU, 1, 0, 0, in_flight=2, streams=1)
    await connect(house, control, 0, Report(version - 1, 1, 0, [], []))
    assert not operations.progress("all", REGION).settled, "it routes by what was before"
    session = control.publisher.sessions[0]
    session.heard(Report(version, 1, 2, [], [busy]))
    progress = operations.progress("all", REGION)
    assert (progress.in_flight, progress.streams, progress.settled) == (2, 1, False)
    session.heard(Report(version, 1, 0, [], []))
    assert operations.progress("all", REGION).settled


async def test_other_nodes_hear_how_far_it_is_and_it_is_drained_when_all_are(house: House) -> None:
    control = house.control()
    await ordered(control)
    await until(lambda: bool(control.state.soft(PROGRESS)), within_s=5, what="said")
    (said,) = control.state.soft(PROGRESS)
    assert said.key == "gw1"
    assert said.value["region/eu"]["share"] == 0.0
    control.state.announce(PROGRESS, "gw2", {"region/eu": {"share": 0.5, "in_flight": 3}}, ttl_s=60)
    control.state.announce(PROGRESS, "gw3", {"region/eu": "nonsense"}, ttl_s=60)
    nodes = control.operations.everywhere("all", REGION)
    assert [(one.node, one.progress.in_flight) for one in nodes] == [("gw1", 0), ("gw2", 3)]
    assert len(control.operations.everywhere("local", REGION)) == 1


async def test_a_person_who_says_down_or_up_stands_before_the_probes(house: House) -> None:
    control = house.control()
    house.prober.say(EU, "up")
    house.prober.say(US, "down")
    said = {"at": 1.0, "author": "ann", "reason": "known"}
    await control.state.put(OVERRIDE, EU, {"state": "down", **said}, expected=0)
    await control.state.put(OVERRIDE, US, {"state": "up", **said}, expected=0)
    control.operations.refresh()
    control.operations.apply()
    assert control.operator[EU] == OperatorState(disabled=True, reason="forced down by ann: known")
    control.publisher.publish()
    told = control.operations.verdicts({US: EndpointState("down", "refused"), EU: EndpointState("up", "http 200")})
    assert told[US] == EndpointState("up", "forced up by ann: known")
    assert told[EU].health == "up"


async def test_this_nodes_own_word_goes_before_everybodys(house: House) -> None:
    control = house.control()
    said = {"at": 1.0, "author": "ann", "reason": ""}
    await control.state.put(OVERRIDE, EU, {"state": "down", **said}, expected=0)
    await control.local_state.put(OVERRIDE, EU, {"state": "up", **said}, expected=0)
    control.operations.refresh()
    control.operations.apply()
    found = control.operations.override(EU)
    assert found is not None
    assert (found[0], found[1].state) == ("local", "up")
    assert EU not in control.operator


async def test_a_row_of_a_newer_program_is_contained_and_said_once(house: House) -> None:
    control = house.control()
    await control.state.put(DRAIN, "region/eu", {"action": "teleport"}, expected=0)
    for _ in range(3):
        control.operations.refresh()
    control.operations.apply()
    assert control.operator == {}
    assert len([line for line in house.lines if line["event"] == "an order is contained"]) == 1


async def test_numbers_that_an_earlier_control_used_prove_nothing(house: House) -> None:
    control = house.control()
    operations = await ordered(control)
    await connect(house, control, 0, Report(50, 1, 0, [], []))
    operations.published(60, control.operator)
    assert not operations.progress("all", REGION).settled
    control.publisher.sessions[0].heard(Report(60, 1, 0, [], []))
    assert operations.progress("all", REGION).settled


async def test_an_endpoint_that_comes_by_a_reload_is_drained_with_its_region_from_the_first_publication(
    house: House,
) -> None:
    control = house.control()
    await ordered(control)
    house.document["services"][0]["endpoints"].append({"region": "eu", "address": "127.0.0.1:7003"})
    house.write()
    assert (await control.reload("test")).changed
    assert control.operator["api/eu/127.0.0.1:7003"].share == 0.0


async def test_sessions_that_stick_to_what_is_drained_are_counted_over_all_data_planes(house: House) -> None:
    control = house.control()
    operations = await ordered(control)
    assert operations.progress("all", REGION).sessions is None, "sessions do not stick"
    control.sessions.adopt({"api": 100.0})
    await connect(house, control, 0, Report(1, 1, 0, [], [], sessions={EU: [1, 2]}))
    await connect(house, control, 1, Report(1, 1, 0, [], [], sessions={EU: [2, 3]}))
    await until(lambda: operations.progress("all", REGION).sessions == 3, within_s=5, what="3 sessions", every_s=0)
    control.sessions.add(0, {US: [1, 2, 3]}, now=control.clock())
    assert operations.progress("all", REGION).sessions == 0
