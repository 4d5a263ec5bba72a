"""A drill by the calendar, over a control whose regions and time a test sets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from health.core.drain import Target
from health.core.region import RegionHealth, RegionVerdict
from tests.harness.control import House, follow
from tidegate.admin import operating
from tidegate.admin.failover import shown
from tidegate.admin.operating import DrainBody
from tidegate.admin.scheduled_drill import AUTHOR, ScheduledDrills
from tidegate.node.control import Control
from tidegate.node.drills import KIND, Rehearsed, rehearsed

SUNDAY = datetime(2026, 11, 29, 4, 0, tzinfo=UTC).timestamp()
EU = Target("region", "eu")


class Town:
    """eu leads and is rehearsed on Sundays at four; us follows."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.wall = SUNDAY - 3600.0
        self.health: dict[str, RegionHealth] = {"eu": "up", "us": "up"}

    async def control(self) -> Control:
        made = self.house.control()
        made.wall = lambda: self.wall
        made.started_at = SUNDAY - 86400.0
        self.house.prober.regions = self.regions  # type: ignore[method-assign]  # what a test sets
        self.house.prober.say("api/us/127.0.0.1:7002", "up")
        follow(self.house, made, 0)
        return made

    def regions(self) -> dict[str, RegionVerdict]:
        return {name: RegionVerdict(name, health, 1, 1, "as set", 1.0) for name, health in self.health.items()}


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    house = House(tmp_path)
    house.document["regions"] = [{"id": "eu", "role": "primary"}, {"id": "us"}]
    house.document["disaster_recovery"] = {"drill": {"schedule": "0 4 * * 0", "region": "eu"}}
    house.write()
    yield Town(house)
    await house.tasks.close()


def drills(control: Control) -> ScheduledDrills:
    return ScheduledDrills(control, over="0s", hold_s=0.0)


def journalled(control: Control) -> list[tuple[str, str, str]]:
    return [(one.what, one.outcome, one.author) for one in reversed(control.journal.decisions())]


async def test_when_the_time_has_come_the_region_is_lost_for_a_while_and_given_back_once(town: Town) -> None:
    control = await town.control()
    await drills(control).look()
    assert rehearsed(control) == {}
    town.wall = SUNDAY + 1.0
    await drills(control).look()
    found = rehearsed(control)["eu"]
    assert (found.state, found.scheduled, found.home) == ("done", SUNDAY, "eu")
    assert found.report["led_meanwhile"] == "us"
    assert found.report["is_given_back"]
    assert control.failing_over.primary() == "eu"
    assert control.operations.drains.orders()["all", EU].action == "undrain"
    assert {(what, author) for what, _, author in journalled(control)} == {
        ("drill", AUTHOR),
        ("drain", AUTHOR),
        ("promote", AUTHOR),
        ("undrain", AUTHOR),
    }
    told: Any = shown(control)["drill"]
    assert (told["next_at"], told["last"]["state"]) == (SUNDAY + 7 * 86400, "done")
    count = len(journalled(control))
    await drills(control).look()
    assert len(journalled(control)) == count, "once a Sunday"


async def test_it_does_not_begin_while_another_region_is_unwell_and_says_so(town: Town) -> None:
    control = await town.control()
    town.health["us"] = "degraded"
    town.wall = SUNDAY + 1.0
    await drills(control).look()
    found = rehearsed(control)["eu"]
    assert found.state == "aborted"
    assert found.report["aborted"] == "not begun: us is degraded: as set"
    assert ("drill", "failed", AUTHOR) in journalled(control)
    assert control.operations.drains.orders() == {}


async def test_what_a_dead_leader_left_in_the_middle_is_given_back_by_the_next(town: Town) -> None:
    control = await town.control()
    await operating.post_drain(control, EU, DrainBody(), author=AUTHOR)
    await control.failing_over.order("us", reason="drill", force=True, author=AUTHOR)
    left = Rehearsed(SUNDAY, SUNDAY, "gw-dead", "gw-dead/1", "eu")
    await control.state.put(KIND, "eu", msgspec.to_builtins(left), expected=0)
    await drills(control).look()
    assert rehearsed(control)["eu"].state == "interrupted"
    assert control.failing_over.primary() == "eu"
    assert control.operations.drains.orders()["all", EU].action == "undrain"


async def test_a_person_who_moved_the_role_meanwhile_is_not_overruled(town: Town) -> None:
    control = await town.control()
    await control.failing_over.order("us", reason="a person", force=True, author="ann")
    left = Rehearsed(SUNDAY, SUNDAY, "gw-dead", "gw-dead/1", "eu")
    await control.state.put(KIND, "eu", msgspec.to_builtins(left), expected=0)
    await drills(control).look()
    assert control.failing_over.primary() == "us"


async def test_a_node_that_does_not_lead_rehearses_nothing(town: Town) -> None:
    control = await town.control()
    town.wall = SUNDAY + 1.0
    control.leadership = _Follower()
    await drills(control).look()
    assert rehearsed(control) == {}


class _Follower:
    epoch = None
    leader = "gw9"
    reason = "another leads"
    no_promotion = None
