"""Who follows whom, what stands against it, and when a machine may do it alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from config.models import Config
from health.core.failover import Ask, DataLag, Facts, FailoverMachine, Promote, first_choice, plan
from tests.harness.configuration import document

FAILOVER = {"trigger": "automatic", "hysteresis": "30s", "max_attempts": 2}
SYNC = {"collections": [{"name": "notes", "data_type": "notes", "conflict": "last_write_wins"}]}


def config(edit: Callable[[dict[str, Any]], Any] = lambda document: None, **failover: Any) -> Config:
    """eu leads; us, ap and a region for disasters follow. Not loaded: sync is not open in the format yet."""
    made = document()
    made["regions"] = [
        {"id": "eu", "role": "primary", "priority": 1, "compliance_zones": ["gdpr"]},
        {"id": "dr", "role": "disaster_recovery", "priority": 1, "compliance_zones": ["gdpr"]},
        {"id": "us", "priority": 3, "compliance_zones": ["ccpa"]},
        {"id": "de", "priority": 5, "compliance_zones": ["gdpr"]},
        {"id": "copy", "role": "read_replica", "priority": 2, "compliance_zones": ["gdpr"]},
    ]
    made["failover"] = {**FAILOVER, **failover}
    edit(made)
    return Config.model_validate_json(json.dumps(made))


ALL = ("eu", "dr", "us", "de", "copy")
WELL = Facts(primary="eu", down={}, reachable=ALL, well_for_s=dict.fromkeys(ALL, 1000.0))
EU_DOWN = replace(WELL, down={"eu": "2 of 2 needed votes say that eu is down"}, reachable=ALL[1:])


def test_the_first_choice_is_the_primary_by_role_then_the_first_secondary() -> None:
    assert first_choice(config()) == "eu"

    def none(made: dict[str, Any]) -> None:
        made["regions"][0]["role"] = "secondary"
        made["regions"][0]["priority"] = 9

    assert first_choice(config(none)) == "us"


def test_candidates_come_by_role_then_priority_and_the_first_without_objection_is_chosen() -> None:
    found = plan(config(), EU_DOWN)
    assert [one.region for one in found.candidates] == ["us", "de", "dr", "copy"]
    assert found.to == "de"
    us, copy = found.candidate("us"), found.candidate("copy")
    assert us is not None
    assert us.objections == ("it is in none of the compliance zones of eu: gdpr",)
    assert copy is not None
    assert copy.objections == ("a read replica is never promoted",)
    assert found.why == "2 of 2 needed votes say that eu is down"


def test_a_region_for_disasters_follows_when_no_secondary_can() -> None:
    assert plan(config(), replace(EU_DOWN, drained=["de"])).to == "dr"
    assert plan(config(), replace(EU_DOWN, reachable=["us", "dr"])).to == "dr"
    assert plan(config(), replace(EU_DOWN, down={**EU_DOWN.down, "de": "voted"})).to == "dr"


def test_the_machine_promotes_once_the_votes_say_down() -> None:
    machine = FailoverMachine()
    assert machine.step(config(), WELL, now=0.0) is None
    assert machine.step(config(), EU_DOWN, now=1.0) == Promote("de", "eu", EU_DOWN.down["eu"], 1)


def test_reachable_from_here_is_not_what_it_acts_on() -> None:
    alone = replace(WELL, reachable=())
    assert FailoverMachine().step(config(), alone, now=0.0) is None


def test_attempts_that_fail_wait_longer_each_time_and_then_a_person_is_asked_once() -> None:
    asked = config(backoff={"initial": "1s", "max": "60s", "factor": 4})
    machine = FailoverMachine()
    assert isinstance(machine.step(asked, EU_DOWN, now=0.0), Promote)
    machine.failed(asked, now=0.0)
    assert machine.step(asked, EU_DOWN, now=0.9) is None
    again = machine.step(asked, EU_DOWN, now=1.0)
    assert isinstance(again, Promote)
    assert again.attempt == 2
    machine.failed(asked, now=1.0)
    assert machine.step(asked, EU_DOWN, now=4.9) is None
    assert machine.step(asked, EU_DOWN, now=5.0) == Ask("2 attempts to promote failed")
    assert machine.step(asked, EU_DOWN, now=6.0) is None
    assert machine.step(asked, WELL, now=7.0) is None
    assert isinstance(machine.step(asked, EU_DOWN, now=8.0), Promote), "after it was well it counts anew"


@pytest.mark.parametrize(
    ("trigger", "zones", "expected"),
    [("automatic", [], "us"), ("hybrid", [], None), ("hybrid", ["gdpr"], "de"), ("automatic", ["gdpr"], "de")],
)
def test_automatic_never_leaves_the_zone_and_hybrid_asks_where_there_is_none(
    trigger: str, zones: list[str], expected: str | None
) -> None:
    def edit(made: dict[str, Any]) -> None:
        made["regions"][0]["compliance_zones"] = zones

    command = FailoverMachine().step(config(edit, trigger=trigger), EU_DOWN, now=0.0)
    if expected is None:
        assert isinstance(command, Ask)
        assert "hybrid" in command.why
    else:
        assert isinstance(command, Promote)
        assert command.region == expected


def test_manual_and_a_missing_section_do_nothing_alone_but_plan() -> None:
    assert FailoverMachine().step(config(trigger="manual"), EU_DOWN, now=0.0) is None
    bare = config(lambda made: made.pop("failover"))
    assert FailoverMachine().step(bare, EU_DOWN, now=0.0) is None
    assert plan(bare, EU_DOWN).to == "de"


def test_an_election_that_cannot_be_sure_promotes_nothing() -> None:
    command = FailoverMachine().step(config(), replace(EU_DOWN, no_promotion="two acceptors"), now=0.0)
    assert command == Ask("two acceptors")


@pytest.mark.parametrize(
    ("lag", "expected", "loss"),
    [
        (None, None, "not known"),
        (9.0, None, "up to 9.0 s of writes (gw-de says so)"),
        (1.0, "de", "up to 1.0 s of writes (gw-de says so)"),
        (0.0, "de", "nothing"),
    ],
)
def test_what_would_be_lost_decides_and_unknown_lag_refuses(lag: float | None, expected: str | None, loss: str) -> None:
    made = config(lambda document: document.update(sync=SYNC, disaster_recovery={"rpo": "5s"}))
    facts = replace(EU_DOWN, lags={"de": DataLag(lag, "gw-de says so"), "dr": DataLag(100.0, "gw-dr says so")})
    command = FailoverMachine().step(made, facts, now=0.0)
    candidate = plan(made, facts, automatic=True).candidate("de")
    assert candidate is not None
    assert candidate.would_lose == loss
    assert candidate.would_lose_s == lag
    if expected is None:
        assert isinstance(command, Ask)
        assert "gw-de says so" in command.why
    else:
        assert isinstance(command, Promote)
        assert command.region == expected


def test_nobody_may_overrule_what_is_down_or_in_no_zone_of_the_first_choice() -> None:
    (us,) = plan(config(), EU_DOWN, to="us").candidates
    assert (us.objections, us.forcible) == (("it is in none of the compliance zones of eu: gdpr",), ())
    (back,) = plan(config(), replace(WELL, primary="de"), to="eu").candidates
    assert (back.objections, back.forcible) == ((), ()), "home is in its own zones"
    (gone,) = plan(config(), replace(EU_DOWN, reachable=["us"]), to="de").candidates
    assert gone.objections == ("it is not reachable from the node that decides",)


def test_too_few_regions_that_are_well_stop_it() -> None:
    command = FailoverMachine().step(config(min_regions=4), replace(EU_DOWN, reachable=["de", "dr", "us"]), now=0.0)
    assert isinstance(command, Ask)
    assert "min_regions" in command.why


def test_failback_waits_until_the_first_choice_has_been_well_for_long_enough() -> None:
    made = config(failback="automatic")
    machine = FailoverMachine()
    moved = replace(WELL, primary="de")
    assert machine.step(made, replace(moved, well_for_s={"eu": 29.0}), now=0.0) is None
    assert machine.step(made, replace(moved, well_for_s={"eu": 30.0}), now=1.0) == Promote(
        "eu", "de", "eu has been well for 30 s", 1
    )
    assert FailoverMachine().step(config(), moved, now=0.0) is None, "failback: manual"
