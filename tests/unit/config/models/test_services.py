"""Every mistake in services and endpoints is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from config.models import endpoint_id
from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(endpoint=", dns: api.internal, port: 80"),
            [
                (
                    "t.yaml:6:9 services[0].endpoints[0]: found address and dns, expected exactly one of "
                    "address, dns, dns_srv"
                ),
            ],
            id="an endpoint with two addresses",
        ),
        pytest.param(
            file(endpoint=", port: 80"),
            [
                ("t.yaml:6:57 services[0].endpoints[0].port: found port beside address, expected port with dns only"),
            ],
            id="a port beside an address",
        ),
        pytest.param(
            file(endpoint=", weight: -1"),
            [
                "t.yaml:6:59 services[0].endpoints[0].weight: found -1, expected at least 0",
            ],
            id="a negative weight",
        ),
        pytest.param(
            file(address="10.0.0.1"),
            [
                (
                    't.yaml:6:36 services[0].endpoints[0].address: found "10.0.0.1", which names no port, '
                    "expected host:port, such as 10.1.0.11:8000"
                ),
            ],
            id="an address without a port",
        ),
        pytest.param(
            file(address="http://10.0.0.1:80"),
            [
                (
                    't.yaml:6:36 services[0].endpoints[0].address: found "http://10.0.0.1:80", expected '
                    "host:port, such as 10.1.0.11:8000"
                ),
            ],
            id="an address with a scheme",
        ),
        pytest.param(
            file(address="10.0.0.300:80"),
            [
                (
                    't.yaml:6:36 services[0].endpoints[0].address: found "10.0.0.300:80", expected '
                    "host:port, such as 10.1.0.11:8000"
                ),
            ],
            id="an address with a broken number",
        ),
        pytest.param(
            file(service="load_balancing: {algorithm: fastest}"),
            [
                (
                    't.yaml:7:33 services[0].load_balancing.algorithm: found "fastest", expected one of '
                    "least_request, round_robin, least_connections, peak_ewma, weighted, random, ip_hash, "
                    "consistent_hash, resource_based"
                ),
            ],
            id="an unknown algorithm",
        ),
        pytest.param(
            file(service="load_balancing: {hash_on: path}"),
            [
                ('t.yaml:7:31 services[0].load_balancing.hash_on: found "path", expected ip, header:X or cookie:X'),
            ],
            id="a hash on nothing known",
        ),
        pytest.param(
            file(service="upstream_tls: {client_key: key.pem}"),
            [
                (
                    "t.yaml:7:19 services[0].upstream_tls: found one of client_certificate and client_key, "
                    "expected both or neither"
                ),
            ],
            id="half a client certificate",
        ),
        pytest.param(
            file(service='sticky_session: {cookie: "a b"}'),
            [
                't.yaml:7:30 services[0].sticky_session.cookie: found "a b", expected a cookie\'s name',
            ],
            id="a cookie name that is none",
        ),
        pytest.param(
            file(service='sticky_session: {attributes: {path: "/a;b"}}'),
            [
                (
                    "t.yaml:7:41 services[0].sticky_session.attributes.path: found /a;b, "
                    "expected a path without ';', which ends it in a cookie"
                ),
            ],
            id="a cookie's path that would end in it",
        ),
        pytest.param(
            file(service="sticky_session: {attributes: {same_site: None, secure: false}}"),
            [
                (
                    "t.yaml:7:46 services[0].sticky_session.attributes.same_site: found same_site: None with "
                    "secure: false, expected secure: true, or browsers drop the cookie"
                ),
            ],
            id="a cookie across sites in the clear",
        ),
        pytest.param(
            file(service="timeout: {connect: 1s}"),
            [
                "t.yaml:7:5 services[0].timeout: found an unknown key, expected timeouts",
            ],
            id="an unknown key",
        ),
        pytest.param(
            (
                "regions: [{id: eu-west}]\n"
                "services: [{id: api, endpoints: [{region: eu-west}]}]\n"
                "routes: [{id: all, service: api}]\n"
            ),
            [
                (
                    "t.yaml:2:34 services[0].endpoints[0]: found none of address, dns, dns_srv, expected "
                    "exactly one of address, dns, dns_srv"
                ),
            ],
            id="an endpoint without an address",
        ),
        pytest.param(
            (
                "regions: [{id: eu-west}]\n"
                "services: [{id: api, endpoints: [{region: eu-west, dns: api.internal}]}]\n"
                "routes: [{id: all, service: api}]\n"
            ),
            [
                (
                    "t.yaml:2:57 services[0].endpoints[0].dns: found dns without port, expected the port "
                    "that the servers listen on"
                ),
            ],
            id="a name without a port",
        ),
        pytest.param(
            ("regions: [{id: eu-west}]\nservices: [{id: api, endpoints: []}]\nroutes: [{id: all, service: api}]\n"),
            [
                "t.yaml:2:33 services[0].endpoints: found an empty list, expected at least 1 in the list",
            ],
            id="no endpoints",
        ),
        pytest.param(
            (
                "regions: [{id: eu-west}]\n"
                'services: [{id: a/b, endpoints: [{region: eu-west, address: "10.0.0.1:80"}]}]\n'
                "routes: [{id: all, service: api}]\n"
            ),
            [
                (
                    't.yaml:2:17 services[0].id: found "a/b", expected an id of at most 63 lower-case '
                    "letters, digits, '-', '_' and '.', such as eu-west"
                ),
            ],
            id="an id with a slash",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_an_endpoint_is_called_by_service_region_and_address() -> None:
    service = accepted(file(endpoint=", weight: 3, backup: true")).services[0]
    assert endpoint_id(service.id, service.endpoints[0]) == "api/eu-west/10.0.0.1:80"


def test_an_endpoint_by_name_is_called_by_its_name() -> None:
    text = file().replace('address: "10.0.0.1:80"', "dns: api.internal, port: 8000")
    assert accepted(text).services[0].endpoints[0].place == "api.internal:8000"
    text = file().replace('address: "10.0.0.1:80"', "dns_srv: _http._tcp.api.internal")
    assert accepted(text).services[0].endpoints[0].place == "srv:_http._tcp.api.internal"


def test_an_ipv6_endpoint_stands_in_brackets() -> None:
    assert accepted(file(address="[2001:db8::1]:80")).services[0].endpoints[0].address == "[2001:db8::1]:80"
