"""A route that cannot be reached, or reaches nothing, is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.models import Match
from config.reachability import covers, hiding
from tests.unit.config.written import complaints

HEAD = """\
node: {id: a, region: eu-west}
regions: [{id: eu-west, compliance_zones: [gdpr]}, {id: us-east}]
services:
  - {id: api, endpoints: [{region: us-east, address: "10.0.0.1:80"}]}
  - {id: both, endpoints: [{region: eu-west, address: "10.0.0.2:80"}, {region: us-east, address: "10.0.0.3:80"}]}
residency: {rules: [{data_type: profile, zones: [gdpr]}, {data_type: none, allowed_regions: [us-east], zones: [gdpr]}]}
routes:
"""


def match(written: str) -> Match:
    return Match.model_validate_json(written)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("{}", '{"path": "/a"}'),
        ("{}", '{"hosts": ["a.example"], "methods": ["GET"], "headers": {"X": "1"}, "query": {"q": "1"}}'),
        ('{"path": "/a/*"}', '{"path": "/a/b/*"}'),
        ('{"path": "/a/*"}', '{"path": "/a/*"}'),
        ('{"path": "/a/*"}', '{"path": "/a/b"}'),
        ('{"hosts": ["*.example.com"]}', '{"hosts": ["a.example.com", "*.b.example.com"]}'),
        ('{"hosts": ["*.example.com"]}', '{"hosts": ["*.EXAMPLE.com"]}'),
        ('{"hosts": ["a.example", "b.example"]}', '{"hosts": ["b.example"]}'),
        ('{"methods": ["GET", "PUT"]}', '{"methods": ["GET"]}'),
        ('{"listeners": ["a", "b"]}', '{"listeners": ["a"]}'),
        ('{"headers": {"x-a": "*"}}', '{"headers": {"X-A": "1"}}'),
        ('{"headers": {"X-A": "1"}}', '{"headers": {"x-a": "1", "X-B": "2"}}'),
        ('{"query": {"q": "*"}}', '{"query": {"q": "1"}}'),
    ],
)
def test_a_wider_match_covers_a_narrower_one(earlier: str, later: str) -> None:
    assert covers(match(earlier), match(later))


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ('{"path": "/a"}', "{}"),
        ('{"path": "/a/*"}', '{"path": "/a"}'),
        ('{"path": "/a/*"}', '{"path": "/ab"}'),
        ('{"path": "/a"}', '{"path": "/a/*"}'),
        ('{"hosts": ["*.example.com"]}', '{"hosts": ["example.com"]}'),
        ('{"hosts": ["*.example.com"]}', '{"hosts": ["a.example.com", "a.example.org"]}'),
        ('{"hosts": ["a.example.com"]}', '{"hosts": ["*.example.com"]}'),
        ('{"hosts": ["*.example.com"]}', '{"hosts": ["badexample.com"]}'),
        ('{"hosts": ["a.example"]}', "{}"),
        ('{"methods": ["GET"]}', "{}"),
        ('{"methods": ["GET"]}', '{"methods": ["GET", "PUT"]}'),
        ('{"listeners": ["a"]}', "{}"),
        ('{"headers": {"X-A": "1"}}', '{"headers": {"X-A": "*"}}'),
        ('{"headers": {"X-A": "1"}}', "{}"),
        ('{"query": {"q": "1"}}', '{"query": {"Q": "1"}}'),
    ],
)
def test_a_match_that_lets_something_through_covers_nothing(earlier: str, later: str) -> None:
    assert not covers(match(earlier), match(later))


matches = st.builds(
    Match,
    hosts=st.lists(
        st.sampled_from(["a.example", "*.example", "b.a.example", "*.a.example", "*.b.a.example"]), max_size=2
    ).map(tuple),
    path=st.sampled_from(["/*", "/", "/a", "/a/*", "/a/b", "/a/b/*", "/ab/*"]),
    methods=st.sampled_from([(), ("GET",), ("GET", "PUT")]),
)


@given(st.lists(matches, max_size=8))
def test_looking_up_finds_what_comparing_every_pair_finds(some: list[Match]) -> None:
    pairs = [
        (later, next(earlier for earlier in range(later) if covers(some[earlier], some[later])))
        for later in range(len(some))
        if any(covers(some[earlier], some[later]) for earlier in range(later))
    ]
    assert list(hiding(some)) == pairs


def test_a_hidden_route_is_a_warning_that_names_what_hides_it() -> None:
    routes = "  - {id: all, match: {path: /*}, service: both}\n  - {id: one, match: {path: /a}, service: both}\n"
    assert complaints(HEAD + routes) == [
        't.yaml:9:5 routes[1]: found the route "one", which no request reaches: "all" before it hides it, '
        'expected it before "all", or a narrower match there'
    ]


def test_a_bound_route_whose_service_stands_elsewhere_is_an_error() -> None:
    assert complaints(HEAD + "  - {id: a, service: api, data_types: [profile]}\n") == [
        't.yaml:8:22 routes[0].service: found the service "api", which has no endpoint where the route\'s data may be, '
        "expected an endpoint in an allowed region: only eu-west may hold profile"
    ]


def test_a_mirror_whose_copies_may_go_nowhere_is_an_error() -> None:
    mirror = "mirror: {service: api, percent: 1%}"
    (found,) = complaints(HEAD + "  - {id: a, service: both, data_types: [profile], " + mirror + "}\n")
    assert found.startswith('t.yaml:8:59 routes[0].mirror: found the service "api", which has no endpoint where')


def test_data_that_may_be_nowhere_is_an_error() -> None:
    assert complaints(HEAD + "  - {id: a, service: both, data_types: [none]}\n") == [
        't.yaml:8:22 routes[0].service: found the service "both", which has no endpoint where the '
        "route's data may be, expected an endpoint in an allowed region: no region may hold none"
    ]


def test_a_way_around_a_residency_rule_is_a_warning() -> None:
    routes = "  - {id: a, match: {path: /a}, service: both, data_types: [profile]}\n  - {id: b, service: both}\n"
    assert complaints(HEAD + routes) == [
        't.yaml:9:5 routes[1]: found no data_types, although the route "a" binds the same service "both", '
        "expected data_types, or this traffic is bound to no region"
    ]


def test_routes_that_do_as_they_should_are_not_complained_of() -> None:
    assert complaints(HEAD + "  - {id: a, service: both, data_types: [profile]}\n") == []
