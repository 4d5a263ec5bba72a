"""What a drain may not empty, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from health.core.drain import Target
from health.core.drain_safety import refusals
from tests.harness.configuration import load

EU, US = "api/eu/127.0.0.1:7001", "api/us/127.0.0.1:7002"


def against(
    target: Target,
    *,
    edit: Callable[[dict[str, Any]], Any] = lambda document: None,
    healthy: Mapping[str, bool] | None = None,
    out: Collection[str] = (),
    regions_out: Collection[str] = (),
) -> tuple[str, ...]:
    return refusals(
        load(edit=edit).config,
        target=target,
        healthy={EU: True, US: True, **(healthy or {})},
        out=lambda endpoint: endpoint in out,
        region_is_out=lambda region: region in regions_out,
        now=0.0,
    )


def profile_in_eu(document: dict[str, Any]) -> None:
    document["residency"] = {"rules": [{"data_type": "profile", "allowed_regions": ["eu"]}]}
    document["routes"].insert(
        0, {"id": "profile", "match": {"path": "/profile/*"}, "service": "api", "data_types": ["profile"]}
    )


def test_one_of_two_regions_may_go() -> None:
    assert against(Target("region", "eu")) == ()


def test_the_last_region_of_a_residency_rule_stays_and_the_rule_is_named() -> None:
    first, second = against(Target("region", "eu"), edit=profile_in_eu)
    assert first == (
        "it would leave no endpoint of service api for route profile: residency rule profile allows only eu"
    )
    assert second == "eu is the last region that residency rule profile allows and that is in use"
    assert against(Target("region", "us"), edit=profile_in_eu) == ()


def test_the_last_endpoint_that_a_rule_allows_stays_too() -> None:
    (sentence,) = against(Target("endpoint", EU), edit=profile_in_eu)
    assert "residency rule profile" in sentence
    assert against(Target("endpoint", US), edit=profile_in_eu) == ()


def test_what_is_down_or_drained_already_does_not_count_as_left() -> None:
    gone = "it would leave no endpoint of service api for route api"
    assert gone in against(Target("region", "eu"), healthy={US: False})
    assert gone in against(Target("endpoint", EU), out={US})
    assert gone in against(Target("service", "api"))


def test_what_could_not_serve_before_is_not_made_worse() -> None:
    assert against(Target("endpoint", EU), healthy={EU: False, US: False}) == ()
    assert against(Target("endpoint", EU), edit=profile_in_eu, out={EU}) == ()


def test_a_rule_that_no_route_uses_keeps_its_last_region_as_well() -> None:
    def edit(document: dict[str, Any]) -> None:
        document["residency"] = {"rules": [{"data_type": "notes", "allowed_regions": "*"}]}

    assert against(Target("region", "eu"), edit=edit) == ()
    (sentence,) = against(Target("region", "eu"), edit=edit, regions_out={"us"})
    assert sentence == "eu is the last region that residency rule notes allows and that is in use"


def test_an_inactive_region_is_no_refuge() -> None:
    def edit(document: dict[str, Any]) -> None:
        document["regions"][1]["active"] = False

    assert "it would leave no endpoint of service api for route api" in against(Target("region", "eu"), edit=edit)
