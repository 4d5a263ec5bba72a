"""Where the name in the DNS should point, and why."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from config.models import Config
from health.core.failover import DataLag, Facts
from health.core.pointing import Wanted, target, wanted
from tests.harness.configuration import document

ALL = ("eu", "de", "us", "dr", "copy", "bare")
WELL = Facts(primary="eu", down={}, reachable=ALL, well_for_s=dict.fromkeys(ALL, 1000.0))
DOWN = replace(WELL, down={"eu": "eu is down"}, reachable=ALL[1:])
DRAINED = replace(WELL, drained=("eu",))


def config(*, zones: bool = True, bare: tuple[str, ...] = (), **failover: Any) -> Config:
    made = document()
    roles = {"eu": "primary", "dr": "disaster_recovery", "copy": "read_replica"}
    # In the order of failover: bare has no gateway, then us in another zone, then de.
    made["regions"] = [
        {"id": name, "role": roles.get(name, "secondary"), "priority": priority}
        | ({} if name in ("bare", *bare) else {"gateway": f"https://{name}.gw.example.com"})
        | ({"compliance_zones": ["ccpa" if name == "us" else "gdpr"]} if zones else {})
        for name, priority in (("eu", 1), ("dr", 2), ("copy", 2), ("bare", 2), ("us", 3), ("de", 4))
    ]
    made["failover"] = {"trigger": "automatic", "hysteresis": "30s", **failover}
    return Config.model_validate_json(json.dumps(made))


def test_it_points_to_the_leading_region_whichever_that_is() -> None:
    assert wanted(config(), WELL, moved_from=None) == Wanted("eu", "eu leads")
    assert wanted(config(), replace(WELL, primary="de"), moved_from=None) == Wanted("de", "de leads")


def test_away_from_a_region_that_is_down_to_the_next_in_the_zones_that_has_a_gateway_and_takes_traffic() -> None:
    assert wanted(config(), DOWN, moved_from=None) == Wanted("de", "eu is down")
    found = wanted(config(bare=("de",)), DOWN, moved_from=None)
    assert found == Wanted(None, "eu is down, and no region may stand in for it")


def test_data_that_is_behind_holds_up_the_role_and_not_the_name() -> None:
    made = config()
    made = made.model_copy(update={"sync": object()})
    assert wanted(made, replace(DOWN, lags={"de": DataLag(60.0, "gw-de says so")}), moved_from=None).region == "de"


def test_a_person_who_drains_it_moves_the_name_whatever_the_trigger() -> None:
    for trigger in ("manual", "hybrid", "automatic"):
        assert wanted(config(trigger=trigger), DRAINED, moved_from=None) == Wanted("de", "eu is drained")


def test_with_a_manual_trigger_votes_alone_move_nothing() -> None:
    found = wanted(config(trigger="manual"), DOWN, moved_from=None)
    assert found == Wanted(None, "eu is down, and `trigger: manual` leaves it to a person")


def test_hybrid_moves_it_by_itself_only_inside_a_compliance_zone() -> None:
    assert wanted(config(trigger="hybrid"), DOWN, moved_from=None).region == "de"
    assert wanted(config(trigger="hybrid", zones=False), DOWN, moved_from=None).region is None
    assert wanted(config(trigger="automatic", zones=False), DOWN, moved_from=None).region == "us"


def test_it_comes_back_after_the_hysteresis_and_a_promotion_is_followed_at_once() -> None:
    young = replace(WELL, well_for_s={"eu": 29.0, "de": 1.0})
    assert wanted(config(), young, moved_from="eu") == Wanted(None, "eu has been well for 29 s, expected 30 s")
    assert wanted(config(), replace(young, well_for_s={"eu": 30.0}), moved_from="eu").region == "eu"
    assert wanted(config(), replace(young, primary="de"), moved_from="eu").region == "de"


def test_a_leading_region_without_a_gateway_leaves_it_where_it_is() -> None:
    assert wanted(config(bare=("eu",)), WELL, moved_from=None) == Wanted(
        None, "eu leads and has no `gateway` to point to"
    )


def test_a_target_is_the_host_of_the_gateway() -> None:
    assert target(config(), "de") == "de.gw.example.com"
    assert target(config(), "bare") is None
