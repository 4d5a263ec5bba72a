"""How drains, regions, endpoints and decisions are shown."""

from __future__ import annotations

from typing import Any

import pytest

from health.core.drain import Target
from health.core.probe import ProbeResult
from health.core.verdict import EndpointVerdict
from tests.harness.control import House, connect
from tidegate.admin import operating
from tidegate.admin.operating import DrainBody, OverrideBody
from tidegate.node.orders import OrderRefused

EU = "api/eu/127.0.0.1:7001"
REGION = Target("region", "eu")


async def test_a_drain_is_shown_from_order_to_end(house: House) -> None:
    control = house.control()
    status, shown = await operating.post_drain(
        control, REGION, DrainBody(over="60s", deadline="10m", reason="patching"), author="ann"
    )
    assert (status, shown["state"], shown["share"]) == (202, "draining", 0.9833)
    assert (shown["author"], shown["reason"], shown["since"]) == ("ann", "patching", 100.0)
    assert shown["deadline_at"] == "1970-01-01T00:11:40.000Z"
    again, _ = await operating.post_drain(
        control, REGION, DrainBody(over="60s", deadline="10m", reason="patching"), author="ann"
    )
    assert again == 200
    await operating.post_drain(control, REGION, DrainBody(), author="ann")
    control.publisher.publish()
    await connect(house, control, 0)
    assert operating.resource(control, REGION)["state"] == "drained"
    status, shown = await operating.delete_drain(
        control, REGION, over="20s", reason="done", is_local=False, author="bob"
    )
    assert (status, shown["state"], shown["share"]) == (202, "undraining", 0.05)
    assert [one["target"] for one in operating.drained(control)] == ["region/eu"]


async def test_a_passed_deadline_ends_the_wait_and_says_what_was_left(house: House) -> None:
    control = house.control()
    await control.state.put(
        "drain",
        "region/eu",
        {"action": "drain", "over_s": 0.0, "deadline_s": 5.0, "at": 90.0, "author": "ann", "reason": ""},
        expected=0,
    )
    control.operations.refresh()
    control.operations.apply()
    shown = operating.resource(control, REGION)
    assert (shown["state"], shown["overdue"]) == ("drained", True), "no data plane has settled"


async def test_an_order_of_this_node_alone_says_so_and_undrain_takes_both_back(house: House) -> None:
    control = house.control()
    _, shown = await operating.post_drain(control, REGION, DrainBody(local=True), author="ann")
    assert shown["local"] is True
    await operating.post_drain(control, REGION, DrainBody(reason="all"), author="ann")
    await operating.delete_drain(control, REGION, over="0s", reason="", is_local=False, author="ann")
    assert control.operator == {}


@pytest.mark.parametrize(
    "body",
    [
        DrainBody(over="60"),
        DrainBody(over="2d"),
        DrainBody(deadline="soon"),
        DrainBody(reason="x" * 501),
        DrainBody(reason="a\nb"),
    ],
)
async def test_a_body_that_means_nothing_is_refused(house: House, body: DrainBody) -> None:
    with pytest.raises(OrderRefused) as refused:
        await operating.post_drain(house.control(), REGION, body, author="ann")
    assert refused.value.reason == "malformed_body"


async def test_endpoints_are_shown_with_probes_orders_and_overrides(house: House) -> None:
    control = house.control()
    last = ProbeResult(passed=True, reason="http 200", at=99.0, took_s=0.01)
    house.prober.verdicts[EU] = EndpointVerdict(EU, "api", "eu", "up", "http 200", 1.0, last=last)
    await operating.post_override(control, EU, OverrideBody("down", reason="disk"), author="ann")
    first, second = operating.endpoints(control, "api")["endpoints"]
    assert (first["endpoint"], first["health"]) == (EU, "up")
    assert first["override"]["author"] == "ann"
    assert first["operator"]["disabled"] is True
    assert first["history"] == [
        {"at": "1970-01-01T00:01:39.000Z", "passed": True, "reason": "http 200", "took_s": 0.01}
    ]
    assert (second["health"], second["override"], second["history"]) == ("untested", None, [])
    with pytest.raises(OrderRefused):
        operating.endpoints(control, "none")


async def test_regions_show_what_is_reachable_from_here_apart_from_what_is_ordered(house: House) -> None:
    control = house.control()
    eu, us = operating.regions(control)["regions"]
    assert (eu["reachable_from_here"]["health"], eu["drain"]["state"]) == ("up", "serving")
    assert us["reachable_from_here"]["health"] == "untested"


async def test_decisions_are_shown_the_latest_first(house: House) -> None:
    control = house.control()
    await operating.post_drain(control, REGION, DrainBody(reason="one"), author="ann")
    await operating.delete_drain(control, REGION, over=None, reason="two", is_local=False, author="bob")
    shown: list[dict[str, Any]] = operating.decisions(control, limit=10)["decisions"]
    assert [(one["what"], one["author"], one["outcome"]) for one in shown] == [
        ("undrain", "bob", "done"),
        ("drain", "ann", "done"),
    ]
    assert len(operating.decisions(control, limit=1)["decisions"]) == 1


def test_an_endpoint_is_named_whole() -> None:
    assert operating.target("endpoint", EU) == Target("endpoint", EU)
    with pytest.raises(OrderRefused):
        operating.target("endpoint", "api/eu")
