"""Numbers about orders and roles, as a scrape reads them."""

from __future__ import annotations

from health.core.drain import Target
from tests.harness.control import House
from tidegate.admin import operating
from tidegate.admin.metrics import Exposition
from tidegate.admin.operating import DrainBody, OverrideBody


async def test_orders_roles_and_decisions_are_series_with_the_words_of_the_api(house: House) -> None:
    control = house.control()
    await operating.post_drain(control, Target("region", "us"), DrainBody(), author="ann")
    endpoint = "api/eu/127.0.0.1:7001"
    await operating.post_override(control, endpoint, OverrideBody("up"), author="ann")
    text = Exposition(control).text("")[0].decode()
    for line in (
        'tidegate_drain_share{state="draining",target="region/us"} 0.0',
        'tidegate_drain_in_flight{target="region/us"} 0.0',
        'tidegate_endpoint_overridden{endpoint="api/eu/127.0.0.1:7001",state="up"} 1.0',
        'tidegate_region_leads{region="eu"} 1.0',
        'tidegate_region_leads{region="us"} 0.0',
        'tidegate_region_voted_down{region="us"} 0.0',
        "tidegate_failover_asks 0.0",
        'tidegate_decisions_total{outcome="done",what="drain"} 1.0',
    ):
        assert line in text, line
