"""Every mistake in regions is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(region="location: {latitude: 91, longitude: 0}"),
            [
                "t.yaml:3:26 regions[0].location.latitude: found 91, expected at most 90",
            ],
            id="a latitude beyond the pole",
        ),
        pytest.param(
            file(region="location: {latitude: 0, longitude: -180.5}"),
            [
                "t.yaml:3:40 regions[0].location.longitude: found -180.5, expected at least -180",
            ],
            id="a longitude beyond the date line",
        ),
        pytest.param(
            file(region="location: {latitude: north, longitude: 0}"),
            [
                't.yaml:3:26 regions[0].location.latitude: found "north", expected a number',
            ],
            id="a latitude in words",
        ),
        pytest.param(
            file(region="location: {latitude: 53.35}"),
            [
                (
                    "t.yaml:3:15 regions[0].location.longitude: found nothing, expected a value for "
                    "longitude, which is required (degrees east, negative for west)"
                ),
            ],
            id="half a location",
        ),
        pytest.param(
            file(region="location: {latitude: 0, longitude: 0, country: ie}"),
            [
                (
                    't.yaml:3:52 regions[0].location.country: found "ie", expected a country code of two '
                    "capitals (ISO 3166), such as IE"
                ),
            ],
            id="a country in lower case",
        ),
        pytest.param(
            file(region="location: {latitude: 0, longitude: 0, continent: Europe}"),
            [
                (
                    't.yaml:3:54 regions[0].location.continent: found "Europe", expected one of AF, AN, AS, '
                    "EU, NA, OC, SA"
                ),
            ],
            id="a continent that is none",
        ),
        pytest.param(
            file(region="role: leader"),
            [
                (
                    't.yaml:3:11 regions[0].role: found "leader", expected one of primary, secondary, '
                    "read_replica, disaster_recovery"
                ),
            ],
            id="an unknown role",
        ),
        pytest.param(
            file(region="priority: -1"),
            [
                "t.yaml:3:15 regions[0].priority: found -1, expected at least 0",
            ],
            id="a negative priority",
        ),
        pytest.param(
            file(region="capacity: 5000"),
            [
                (
                    "t.yaml:3:15 regions[0].capacity: found 5000 without a unit, expected a rate with its "
                    "unit, such as 100/s or 6000/m"
                ),
            ],
            id="a capacity without a unit",
        ),
        pytest.param(
            file(region="minimum_capacity: 101%"),
            [
                't.yaml:3:23 regions[0].minimum_capacity: found "101%", expected a share from 0% to 100%',
            ],
            id="a share above everything",
        ),
        pytest.param(
            file(region="minimum_capacity: 0.3"),
            [
                (
                    "t.yaml:3:23 regions[0].minimum_capacity: found 0.3 without a unit, expected a share in "
                    "per cent, such as 20%"
                ),
            ],
            id="a share as a fraction",
        ),
        pytest.param(
            file(region="reach: gateway"),
            [
                (
                    "t.yaml:3:12 regions[0].reach: found reach: gateway without a gateway, expected the URL "
                    "of the region's `gateway`"
                ),
            ],
            id="reach by a gateway that is not named",
        ),
        pytest.param(
            file(region="reach: gateway\ngateway: http://a.example\ngateway_tls: {verify: false}"),
            [
                (
                    "t.yaml:5:18 regions[0].gateway_tls: found gateway_tls of a region that nobody reaches through an "
                    "https gateway, expected reach: gateway, and a `gateway` with https"
                ),
            ],
            id="tls for a gateway that speaks none",
        ),
        pytest.param(
            file(region="gateway: https://a.example\ngateway_tls: {verify: false}"),
            [
                (
                    "t.yaml:4:18 regions[0].gateway_tls: found gateway_tls of a region that nobody reaches through an "
                    "https gateway, expected reach: gateway, and a `gateway` with https"
                ),
            ],
            id="tls for a gateway that nobody goes through",
        ),
        pytest.param(
            file(region="gateway: https://eu-west.example.com/x"),
            [
                (
                    't.yaml:3:14 regions[0].gateway: found "https://eu-west.example.com/x", expected a URL '
                    "that starts with http:// or https://, such as https://gw1.example.com, without a path"
                ),
            ],
            id="a gateway with a path",
        ),
        pytest.param(
            file(region="gateway: https://u:hunter2@eu-west.example.com"),
            [
                (
                    "t.yaml:3:14 regions[0].gateway: found a URL with credentials in it, expected a URL that "
                    "starts with http:// or https://, such as https://gw1.example.com, without credentials"
                ),
            ],
            id="a gateway with credentials",
        ),
        pytest.param(
            file(region="gateway: eu-west.example.com"),
            [
                (
                    't.yaml:3:14 regions[0].gateway: found "eu-west.example.com", expected a URL that starts '
                    "with http:// or https://, such as https://gw1.example.com"
                ),
            ],
            id="a gateway without a scheme",
        ),
        pytest.param(
            file(region='active: "yes"'),
            [
                't.yaml:3:13 regions[0].active: found "yes", expected true or false',
            ],
            id="active in words",
        ),
        pytest.param(
            (
                "regions: [{name: Ireland}]\n"
                'services: [{id: api, endpoints: [{region: eu-west, address: "10.0.0.1:80"}]}]\n'
                "routes: [{id: all, service: api}]\n"
            ),
            [
                "t.yaml:1:1 node.region: found null, expected text",
                (
                    "t.yaml:1:11 regions[0].id: found nothing, expected a value for id, which is required "
                    "(what services, rules and people call it)"
                ),
            ],
            id="a region without an id",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_a_region_needs_no_more_than_an_id() -> None:
    region = accepted(file()).regions[0]
    assert (region.tier, region.role, region.active, region.cost) == ("secondary", "secondary", True, 1.0)
    assert (region.capacity, region.minimum_capacity, region.reach) == (None, 0.3, "direct")


def test_norway_is_a_country_and_not_a_refusal() -> None:
    region = accepted(file(region="location: {latitude: 59.91, longitude: 10.75, country: NO}")).regions[0]
    assert region.location is not None
    assert region.location.country == "NO"
