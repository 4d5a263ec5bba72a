"""Every mistake in residency rules is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(rest="residency: {rules: [{data_type: profile}]}"),
            [
                (
                    "t.yaml:10:21 residency.rules[0]: found neither allowed_regions nor zones, expected at "
                    'least one of them; allowed_regions: "*" for everywhere'
                ),
            ],
            id="a rule that says nothing",
        ),
        pytest.param(
            file(rest="residency: {rules: [{data_type: profile, allowed_regions: eu-west}]}"),
            [
                (
                    't.yaml:10:59 residency.rules[0].allowed_regions: found "eu-west", expected "*" for '
                    "every region, or a list of region ids"
                ),
            ],
            id="regions outside of a list",
        ),
        pytest.param(
            file(rest="residency: {rules: [{data_type: profile, allowed_regions: []}]}"),
            [
                (
                    't.yaml:10:59 residency.rules[0].allowed_regions: found an empty list, expected "*" for '
                    "every region, or a list of region ids"
                ),
            ],
            id="regions that are none",
        ),
        pytest.param(
            file(rest="residency: {default: maybe}"),
            [
                't.yaml:10:22 residency.default: found "maybe", expected one of deny, allow',
            ],
            id="a default that is neither",
        ),
        pytest.param(
            file(rest="residency: {zones: {gdpr: {countries: []}}}"),
            [
                ("t.yaml:10:39 residency.zones.gdpr.countries: found an empty list, expected at least 1 in the list"),
            ],
            id="a zone without countries",
        ),
        pytest.param(
            file(
                rest=(
                    "residency: {transfer_agreements: [{id: scc, source: eu-west, destination: eu-west, "
                    "data_types: [a]}]}"
                )
            ),
            [
                (
                    "t.yaml:10:35 residency.transfer_agreements[0].expires: found nothing, expected a value "
                    "for expires, which is required (last day on which it holds)"
                ),
            ],
            id="an agreement without an end",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_what_no_rule_names_is_denied() -> None:
    residency = accepted(file()).residency
    assert (residency.default, residency.rules, residency.audit) == ("deny", (), None)


def test_every_region_is_an_asterisk() -> None:
    text = file(
        rest="residency: {rules: [{data_type: a, allowed_regions: '*'}, {data_type: b, allowed_regions: [eu-west]}]}"
    )
    assert [rule.allowed_regions for rule in accepted(text).residency.rules] == ["*", ("eu-west",)]
