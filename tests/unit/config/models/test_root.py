"""Every mistake in the file as a whole is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.models import Config
from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(rest="version: 2"),
            [
                "t.yaml:10:10 version: found 2, expected 1",
            ],
            id="another version",
        ),
        pytest.param(
            file(rest='version: "1"'),
            [
                't.yaml:10:10 version: found "1", expected 1',
            ],
            id="a version as text",
        ),
        pytest.param(
            file(rest="listner: []"),
            [
                "t.yaml:10:1 listner: found an unknown key, expected listeners",
            ],
            id="an unknown block",
        ),
        pytest.param(
            file(rest="zzz: []"),
            [
                (
                    "t.yaml:10:1 zzz: found an unknown key, expected one of version, node, secrets, "
                    "listeners, admin, peer, stores, discovery, geo, regions, services, routes, tenants, "
                    "overload, residency, failover, disaster_recovery, election, sync, clients, observability"
                ),
            ],
            id="an unknown block like no other",
        ),
        pytest.param(
            (
                "regions: {eu-west: {}}\n"
                'services: [{id: api, endpoints: [{region: eu-west, address: "10.0.0.1:80"}]}]\n'
                "routes: [{id: all, service: api}]\n"
            ),
            [
                (
                    "t.yaml:1:1 node.region: found nothing, expected a value for region, which is required "
                    "(which of `regions` this node stands in; needed only where there are several)"
                ),
                "t.yaml:1:10 regions: found a mapping, expected a list",
            ],
            id="regions as a mapping",
        ),
        pytest.param(
            "version: 1\n",
            [
                (
                    "t.yaml:1:1 node.region: found nothing, expected a value for region, which is required "
                    "(which of `regions` this node stands in; needed only where there are several)"
                ),
                "t.yaml:1:1 regions: found nothing, expected a value for regions, which is required",
                "t.yaml:1:1 routes: found nothing, expected a value for routes, which is required",
                "t.yaml:1:1 services: found nothing, expected a value for services, which is required",
            ],
            id="nothing that is required",
        ),
        pytest.param(
            (
                "regions: null\n"
                'services: [{id: api, endpoints: [{region: eu-west, address: "10.0.0.1:80"}]}]\n'
                "routes: [{id: all, service: api}]\n"
            ),
            [
                (
                    "t.yaml:1:1 node.region: found nothing, expected a value for region, which is required "
                    "(which of `regions` this node stands in; needed only where there are several)"
                ),
                "t.yaml:1:10 regions: found null, expected a list",
            ],
            id="null for what is required",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_what_a_program_writes_out_reads_back_as_it_was() -> None:
    config = accepted(file(route="data_types: [a]", rest="residency: {rules: [{data_type: a, allowed_regions: '*'}]}"))
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_a_configuration_cannot_be_changed() -> None:
    config = accepted(file())
    with pytest.raises(ValidationError):
        config.node.region = "us-east"  # type: ignore[misc]  # what the checker forbids must fail at run time too
