"""One policy answers for routing, replication and backup alike, and fails closed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.core.residency import ResidencyPolicy, Verdict, compile_policy
from config.models import Config
from tests.unit.config.written import accepted

TEXT = """\
node: {id: a, region: eu-west}
regions:
  - {id: eu-west, compliance_zones: [gdpr]}
  - {id: uk-south, compliance_zones: [gdpr, uk]}
  - {id: us-east, compliance_zones: [ccpa]}
services: [{id: api, endpoints: [{region: eu-west, address: "10.0.0.1:80"}]}]
routes: [{id: all, service: api}]
residency:
  rules:
    - {data_type: everywhere, allowed_regions: "*"}
    - {data_type: listed, allowed_regions: [eu-west, us-east]}
    - {data_type: zoned, zones: [gdpr]}
    - {data_type: either_zone, zones: [uk, ccpa]}
    - {data_type: both, allowed_regions: [eu-west, us-east], zones: [gdpr]}
"""
REGIONS = ("eu-west", "uk-south", "us-east")


def asked(policy: ResidencyPolicy, data_type: str, destination: str) -> Verdict:
    return policy.may(data_type, source="eu-west", destination=destination, purpose="request", now=0.0)


@pytest.mark.parametrize(
    ("data_type", "reasons"),
    [
        ("everywhere", ("allowed", "allowed", "allowed")),
        ("listed", ("allowed", "residency_region", "allowed")),
        ("zoned", ("allowed", "allowed", "residency_zone")),
        ("either_zone", ("residency_zone", "allowed", "allowed")),
        ("both", ("allowed", "residency_region", "residency_zone")),
    ],
)
def test_a_rule_holds_when_its_regions_and_its_zones_do(data_type: str, reasons: tuple[str, ...]) -> None:
    policy = compile_policy(accepted(TEXT))
    for region, reason in zip(REGIONS, reasons, strict=True):
        verdict = asked(policy, data_type, region)
        assert (verdict.allowed, verdict.reason, verdict.rule) == (reason == "allowed", reason, data_type)


def test_a_type_that_no_rule_names_is_denied_by_default() -> None:
    verdict = asked(compile_policy(accepted(TEXT)), "unheard-of", "eu-west")
    assert verdict == Verdict(allowed=False, reason="residency_default", rule="default")


def test_the_default_may_be_turned_round() -> None:
    policy = compile_policy(accepted(TEXT + "  default: allow\n"))
    assert asked(policy, "unheard-of", "us-east") == Verdict(allowed=True, reason="allowed", rule="default")
    assert not asked(policy, "zoned", "us-east").allowed


@pytest.mark.parametrize("default", ["allow", "deny"])
def test_a_region_that_is_not_declared_may_hold_nothing(default: str) -> None:
    policy = compile_policy(accepted(TEXT + f"  default: {default}\n"))
    assert not asked(policy, "everywhere", "mars").allowed
    assert not asked(policy, "unheard-of", "mars").allowed


@given(
    allowed=st.none() | st.just("*") | st.lists(st.sampled_from(REGIONS), min_size=1, unique=True),
    zones=st.lists(st.sampled_from(("gdpr", "uk", "ccpa", "none")), unique=True),
    destination=st.sampled_from(REGIONS),
)
def test_the_compiled_policy_agrees_with_the_rule_read_plainly(
    allowed: str | list[str] | None, zones: list[str], destination: str
) -> None:
    if allowed is None and not zones:
        return
    config = accepted(TEXT)
    rule = {"data_type": "a", "allowed_regions": allowed, "zones": zones}
    changed = config.model_dump(mode="json") | {"residency": {"rules": [rule]}}
    policy = compile_policy(Config.model_validate(changed, strict=False))
    belongs_to = next(set(region.compliance_zones) for region in config.regions if region.id == destination)
    in_regions = allowed in (None, "*") or destination in (allowed or ())
    in_zones = not zones or bool(belongs_to & set(zones))
    assert asked(policy, "a", destination).allowed == (in_regions and in_zones)


AGREED = (
    TEXT
    + """\
  transfer_agreements:
    - {id: scc, source: eu-west, destination: us-east, data_types: [zoned, both], expires: 2027-04-01}
    - {id: old, source: eu-west, destination: us-east, data_types: [zoned], expires: 2026-01-01}
"""
)
LAST_SECOND = 1_806_623_999.0
"""2027-04-01 23:59:59 UTC."""


def way(data_type: str, source: str, destination: str, now: float = 0.0) -> Verdict:
    return compile_policy(accepted(AGREED)).may(
        data_type, source=source, destination=destination, purpose="route", now=now
    )


def test_an_agreement_lets_its_types_go_its_way_and_no_other() -> None:
    assert way("zoned", "eu-west", "us-east") == Verdict(allowed=True, reason="transfer_agreement", rule="scc")
    assert not way("zoned", "uk-south", "us-east").allowed
    assert not way("zoned", "us-east", "us-east").allowed
    assert not way("either_zone", "us-east", "eu-west").allowed
    assert way("listed", "eu-west", "us-east").rule == "listed"


def test_an_agreement_holds_to_the_end_of_its_last_day() -> None:
    assert way("zoned", "eu-west", "us-east", LAST_SECOND).allowed
    refused = way("zoned", "eu-west", "us-east", LAST_SECOND + 1)
    assert (refused.allowed, refused.reason, refused.rule) == (False, "residency_zone", "zoned")


def test_it_says_when_verdicts_change_next() -> None:
    policy = compile_policy(accepted(AGREED))
    assert policy.changes_after(LAST_SECOND - 10) == LAST_SECOND + 1
    assert policy.changes_after(LAST_SECOND + 1) == float("inf")
    assert compile_policy(accepted(TEXT)).changes_after(0.0) == float("inf")
