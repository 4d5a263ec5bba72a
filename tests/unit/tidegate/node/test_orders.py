"""Which orders are taken, and what the journal says of each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from health.core.drain import Target
from health.core.rows import Conflict, Row, Unavailable
from tests.harness.control import House
from tidegate.node import orders
from tidegate.node.control import Control
from tidegate.node.operations import DRAIN, OVERRIDE
from tidegate.node.orders import DrainAsked, OrderRefused

EU, US = "api/eu/127.0.0.1:7001", "api/us/127.0.0.1:7002"
REGION = Target("region", "eu")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    await made.tasks.close()


@pytest.fixture
async def control(house: House) -> Control:
    return house.control()


def journalled(control: Control) -> list[tuple[str, str, str]]:
    return [(one.what, one.target, one.outcome) for one in reversed(control.journal.decisions())]


async def drain(control: Control, target: Target = REGION, **asked: Any) -> bool:
    return await orders.drain(control, target, DrainAsked(**asked), scope="all", author="ann")


async def test_a_drain_is_a_row_in_force_at_once_and_a_line_in_the_journal(control: Control) -> None:
    assert await drain(control, reason="patching")
    found = control.state.row(DRAIN, "region/eu")
    assert found is not None
    assert found.value is not None
    assert (found.value["author"], found.value["node"], found.value["at"]) == ("ann", "gw1", 100.0)
    assert control.operator[EU].share == 0.0
    assert journalled(control) == [("drain", "region/eu", "done")]


async def test_the_same_order_again_changes_nothing(control: Control) -> None:
    assert await drain(control, over_s=60.0)
    assert not await drain(control, over_s=60.0)
    assert len(journalled(control)) == 1
    assert await drain(control, over_s=5.0), "another pace is another order"


async def test_an_undrain_begins_at_the_share_that_is_left_and_a_drain_after_it_too(control: Control) -> None:
    await drain(control)
    assert await orders.undrain(control, REGION, over_s=100.0, reason="", scope="all", author="bob")
    assert control.operator[EU].share == 0.01
    assert not control.operator[EU].is_draining
    assert not await orders.undrain(control, REGION, over_s=100.0, reason="", scope="all", author="bob")
    assert await drain(control, over_s=100.0)
    assert control.operator[EU].share < 0.02
    assert [what for what, _, _ in journalled(control)] == ["drain", "undrain", "drain"]


async def test_what_nobody_drained_is_not_undrained(control: Control) -> None:
    assert not await orders.undrain(control, REGION, over_s=1.0, reason="", scope="all", author="bob")
    assert journalled(control) == []


async def test_the_last_place_stays_unless_it_is_forced_and_the_reason_stands_in_the_order(control: Control) -> None:
    await drain(control)
    with pytest.raises(OrderRefused, match="no endpoint of service api for route api") as refused:
        await drain(control, Target("endpoint", US))
    assert (refused.value.status, refused.value.reason) == (409, "drain_refused")
    assert await drain(control, Target("endpoint", US), force=True)
    found = control.state.row(DRAIN, f"endpoint/{US}")
    assert found is not None
    assert found.value is not None
    assert "no endpoint of service api" in found.value["forced"][0]
    assert [outcome for _, _, outcome in journalled(control)] == ["done", "refused", "done"]


async def test_what_a_person_has_called_down_is_no_refuge(control: Control) -> None:
    await orders.override(control, US, "down", reason="", force=False, scope="all", author="ann")
    with pytest.raises(OrderRefused):
        await drain(control)
    await orders.override(control, US, "clear", reason="", force=False, scope="all", author="ann")
    assert await drain(control)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (Target("region", "mars"), "no_such_region"),
        (Target("service", "none"), "no_such_service"),
        (Target("endpoint", "api/eu/10.9.9.9:1"), "no_such_endpoint"),
    ],
)
async def test_what_there_is_not_cannot_be_drained(control: Control, target: Target, reason: str) -> None:
    with pytest.raises(OrderRefused) as refused:
        await drain(control, target)
    assert (refused.value.status, refused.value.reason) == (404, reason)


async def test_a_deadline_before_the_end_of_the_ramp_is_refused(control: Control) -> None:
    with pytest.raises(OrderRefused, match="at least the 60 s"):
        await drain(control, over_s=60.0, deadline_s=30.0)


async def test_an_override_is_said_once_and_cleared(control: Control) -> None:
    asked: dict[str, Any] = {"force": False, "scope": "all", "author": "ann"}
    assert await orders.override(control, EU, "down", reason="broken disk", **asked)
    assert not await orders.override(control, EU, "down", reason="broken disk", **asked)
    assert control.operator[EU].disabled
    with pytest.raises(OrderRefused):
        await orders.override(control, US, "down", reason="", **asked)
    assert await orders.override(control, EU, "clear", reason="", **asked)
    assert not await orders.override(control, EU, "clear", reason="", **asked)
    assert control.state.row(OVERRIDE, EU) is None
    assert control.operator == {}


class Frozen:
    """A store without its majority."""

    def __init__(self, control: Control) -> None:
        self._store = control.state

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def put(self, kind: str, key: str, *given: Any, **named: Any) -> Row:
        raise Unavailable("1 of 3 acceptors answered")


async def test_without_a_majority_only_this_node_can_be_told_and_its_own_disk_keeps_it(control: Control) -> None:
    control.state = Frozen(control)
    with pytest.raises(OrderRefused, match="`local`") as refused:
        await drain(control)
    assert (refused.value.status, refused.value.reason) == (503, "state_unavailable")
    assert control.operator == {}
    assert await orders.drain(control, REGION, DrainAsked(), scope="local", author="ann")
    assert control.local_state.row(DRAIN, "region/eu") is not None
    assert control.operator[EU].reason == "region eu is drained on this node only by ann"
    assert [outcome for _, _, outcome in journalled(control)] == ["unknown", "done"]


class Contended(Frozen):
    """Somebody else is always first."""

    def __init__(self, control: Control, times: int) -> None:
        super().__init__(control)
        self.times = times

    async def put(self, kind: str, key: str, *given: Any, **named: Any) -> Row:
        if kind == DRAIN and self.times:
            self.times -= 1
            raise Conflict("found version 1", None)
        return await self._store.put(kind, key, *given, **named)


@pytest.mark.parametrize(("times", "is_taken"), [(2, True), (3, False)])
async def test_a_row_that_others_write_too_is_tried_again_and_not_for_ever(
    control: Control, times: int, is_taken: bool
) -> None:
    control.state = Contended(control, times)
    if is_taken:
        assert await drain(control)
    else:
        with pytest.raises(OrderRefused) as refused:
            await drain(control)
        assert refused.value.reason == "changed_meanwhile"
        assert [outcome for _, _, outcome in journalled(control)] == ["failed"]
