"""Every mistake in routes is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from config.models import Consistency
from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(route="redirect: {to: https://a.example/}"),
            [
                ("t.yaml:8:5 routes[0]: found service and redirect, expected exactly one of service, split, redirect"),
            ],
            id="a route to two places",
        ),
        pytest.param(
            file(route="match: {path: v1/*}"),
            [
                (
                    "t.yaml:10:19 routes[0].match.path: found \"v1/*\", expected a path that starts with '/', "
                    "with '*' at most as its last part, such as /v1/profile/*"
                ),
            ],
            id="a path without a slash",
        ),
        pytest.param(
            file(route="match: {path: /v1/*/x}"),
            [
                (
                    't.yaml:10:19 routes[0].match.path: found "/v1/*/x", expected a path that starts with '
                    "'/', with '*' at most as its last part, such as /v1/profile/*"
                ),
            ],
            id="a wildcard within a path",
        ),
        pytest.param(
            file(route="match: {path: /v1?x=1}"),
            [
                (
                    't.yaml:10:19 routes[0].match.path: found "/v1?x=1", expected a path that starts with '
                    "'/', with '*' at most as its last part, such as /v1/profile/*"
                ),
            ],
            id="a path with a query",
        ),
        pytest.param(
            file(route='match: {hosts: ["api.example.com:80"]}'),
            [
                (
                    't.yaml:10:21 routes[0].match.hosts[0]: found "api.example.com:80", expected a host name '
                    "without a port, such as api.example.com or *.example.com"
                ),
            ],
            id="a host with a port",
        ),
        pytest.param(
            file(route='match: {hosts: ["api.*.com"]}'),
            [
                (
                    't.yaml:10:21 routes[0].match.hosts[0]: found "api.*.com", expected a host name without '
                    "a port, such as api.example.com or *.example.com"
                ),
            ],
            id="a wildcard within a host",
        ),
        pytest.param(
            file(route='match: {hosts: ["*"]}'),
            [
                (
                    't.yaml:10:21 routes[0].match.hosts[0]: found "*", expected a host name without a port, '
                    "such as api.example.com or *.example.com"
                ),
            ],
            id="a host that is a wildcard alone",
        ),
        pytest.param(
            file(route="match: {methods: [get]}"),
            [
                (
                    't.yaml:10:23 routes[0].match.methods[0]: found "get", expected one of GET, HEAD, POST, '
                    "PUT, PATCH, DELETE, OPTIONS"
                ),
            ],
            id="a method in lower case",
        ),
        pytest.param(
            file(route="match: {methods: [TRACE]}"),
            [
                (
                    't.yaml:10:23 routes[0].match.methods[0]: found "TRACE", expected one of GET, HEAD, '
                    "POST, PUT, PATCH, DELETE, OPTIONS"
                ),
            ],
            id="a method that is always refused",
        ),
        pytest.param(
            file(route="match: {headers: {X-A: 1}}"),
            [
                "t.yaml:10:28 routes[0].match.headers.X-A: found 1, expected text",
            ],
            id="a header to match that is no text",
        ),
        pytest.param(
            file(route="region_routing: {strategy: nearest}"),
            [
                (
                    't.yaml:10:32 routes[0].region_routing.strategy: found "nearest", expected one of '
                    "latency, failover, geo_proximity, compliance, multi_criteria, weighted"
                ),
            ],
            id="an unknown strategy",
        ),
        pytest.param(
            file(route="consistency: bounded"),
            [
                ('t.yaml:10:18 routes[0].consistency: found "bounded", expected none, read_your_writes or bounded(5s)'),
            ],
            id="a consistency without its bound",
        ),
        pytest.param(
            file(route="consistency: bounded(5)"),
            [
                (
                    't.yaml:10:18 routes[0].consistency: found "5" without a unit, expected a duration with '
                    "its unit, such as 250ms, 5s, 10m, 1h or 1d"
                ),
            ],
            id="a consistency bound without a unit",
        ),
        pytest.param(
            file(route="importance: high"),
            [
                ('t.yaml:10:17 routes[0].importance: found "high", expected one of interactive, critical, batch'),
            ],
            id="an unknown importance",
        ),
        pytest.param(
            (
                "regions: [{id: eu-west}]\n"
                'services: [{id: api, endpoints: [{region: eu-west, address: "10.0.0.1:80"}]}]\n'
                'routes: [{id: all, redirect: {status: 300, to: "https://a.example/"}}]\n'
            ),
            [
                "t.yaml:3:39 routes[0].redirect.status: found 300, expected one of 301, 302, 303, 307, 308",
            ],
            id="a redirect with another status",
        ),
        pytest.param(
            (
                "regions: [{id: eu-west}]\n"
                'services: [{id: api, endpoints: [{region: eu-west, address: "10.0.0.1:80"}]}]\n'
                'routes: [{id: all, redirect: {to: "javascript:x"}}]\n'
            ),
            [
                (
                    't.yaml:3:35 routes[0].redirect.to: found "javascript:x", expected a URL, in which '
                    "${path} stands for the path"
                ),
            ],
            id="a redirect to another scheme",
        ),
        pytest.param(
            file().replace("service: api", 'redirect: {to: "https://a.example${uri}"}'),
            [
                (
                    't.yaml:9:20 routes[0].redirect.to: found an unknown variable in "https://a.example${uri}", '
                    "expected ${path}, ${query} or ${host}"
                ),
            ],
            id="a redirect with an unknown variable",
        ),
        pytest.param(
            file().replace("service: api", 'redirect: {to: "//evil.example${path}"}'),
            [
                (
                    't.yaml:9:20 routes[0].redirect.to: found "//evil.example${path}", which browsers read as another '
                    "host, expected a URL or a path"
                ),
            ],
            id="a redirect to another host by accident",
        ),
        pytest.param(
            file().replace("service: api", 'redirect: {to: "${host}/a"}'),
            [
                (
                    't.yaml:9:20 routes[0].redirect.to: found "${host}/a", which is no URL, '
                    "expected https://${host}..., or a path"
                ),
            ],
            id="a redirect to a host without a scheme",
        ),
        pytest.param(
            (
                "regions: [{id: eu-west}]\n"
                'services: [{id: api, endpoints: [{region: eu-west, address: "10.0.0.1:80"}]}]\n'
                "routes: [{id: all}]\n"
            ),
            [
                (
                    "t.yaml:3:10 routes[0]: found none of service, split, redirect, expected exactly one of "
                    "service, split, redirect"
                ),
            ],
            id="a route to nowhere",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_a_route_has_the_values_of_the_contract() -> None:
    route = accepted(file()).routes[0]
    assert (route.match.path, route.match.methods, route.match.hosts) == ("/*", (), ())
    routing = route.region_routing
    assert (routing.strategy, routing.prefer_local, routing.failover) == ("latency", True, "automatic")
    assert (route.consistency, route.importance) == (Consistency("none"), "interactive")


def test_hosts_are_compared_in_lower_case() -> None:
    assert accepted(file(route="match: {hosts: [API.Example.com, '*.Example.com']}")).routes[0].match.hosts == (
        "api.example.com",
        "*.example.com",
    )


def test_a_bound_of_consistency_is_a_duration() -> None:
    route = accepted(file(route="consistency: bounded(5s)", rest="sync: {}")).routes[0]
    assert route.consistency == Consistency("bounded", 5.0)


def test_a_route_knows_its_services() -> None:
    split = "split: [{service: api, weight: 1}, {service: builtin:data, weight: 0}]"
    assert accepted(file(rest="sync: {}").replace("service: api", split)).routes[0].services == ("api", "builtin:data")
    redirect = "redirect: {to: 'https://app.example.com${path}'}"
    assert accepted(file().replace("service: api", redirect)).routes[0].services == ()
