"""The plan, as the admin API shows it."""

from __future__ import annotations

import pytest

from tests.harness.control import House
from tidegate.admin.failover import FailoverBody, post_failover, shown
from tidegate.node.orders import OrderRefused


@pytest.fixture
def three(house: House) -> House:
    house.document["regions"] = [{"id": "eu", "role": "primary"}, {"id": "us", "role": "disaster_recovery"}]
    house.document["node"]["region"] = "us"
    house.document["disaster_recovery"] = {"rto": "2m", "rpo": "3s"}
    house.write()
    return house


async def test_a_plan_names_who_would_follow_what_would_be_lost_and_the_objectives(three: House) -> None:
    control = three.control()
    found = shown(control)
    assert (found["primary"], found["first_choice"], found["trigger"]) == ("eu", "eu", "manual")
    assert found["objectives"] == {"rto_s": 120.0, "rpo_s": 3.0}
    (candidate,) = found["plan"]["candidates"]
    assert candidate["region"] == "us"
    assert candidate["objections"] == ["it is not reachable from the node that decides"]
    assert candidate["would_lose"] == "nothing: no data is replicated by this gateway"
    assert candidate["would_lose_s"] == 0.0
    assert found["votes"]["eu"]["is_down"] is False
    assert control.journal.decisions() == [], "a plan changes nothing"


async def test_acting_and_failing_back_are_answered_with_who_leads(three: House) -> None:
    control = three.control()
    status, found = await post_failover(control, FailoverBody("failback"), author="ann")
    assert (status, found["primary"]) == (200, "eu"), "it leads already"
    with pytest.raises(OrderRefused) as refused:
        await post_failover(control, FailoverBody("act", to="us", force=True), author="ann")
    assert refused.value.reason == "failover_refused"
    with pytest.raises(OrderRefused):
        await post_failover(control, FailoverBody("failback", to="us"), author="ann")
