"""Every mistake in references between parts is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said", "environ"),
    [
        pytest.param(
            file(rest="node: {region: eu-wets}"),
            [
                't.yaml:10:16 node.region: found the unknown region "eu-wets", expected eu-west',
            ],
            {},
            id="a node in an unknown region",
        ),
        pytest.param(
            file(route="mirror: {service: shadow, percent: 1%}"),
            [
                't.yaml:10:23 routes[0].mirror.service: found the unknown service "shadow", expected api',
            ],
            {},
            id="a mirror to an unknown service",
        ),
        pytest.param(
            file(route="match: {listeners: [publc]}"),
            [
                ('t.yaml:10:25 routes[0].match.listeners[0]: found the unknown listener "publc", expected public'),
            ],
            {},
            id="a route on an unknown listener",
        ),
        pytest.param(
            file(route="data_types: [profile]"),
            [
                (
                    't.yaml:10:18 routes[0].data_types[0]: found the unknown data type "profile", expected a '
                    "declared data type, and there is none"
                ),
            ],
            {},
            id="an unknown data type",
        ),
        pytest.param(
            file(route="data_types: [profile]", rest="residency: {default: allow}"),
            [
                (
                    't.yaml:10:18 routes[0].data_types[0]: found the unknown data type "profile", expected a '
                    "declared data type, and there is none"
                ),
            ],
            {},
            id="an unknown data type where that is allowed",
        ),
        pytest.param(
            file(rest="residency: {rules: [{data_type: a, allowed_regions: [eu-west, mars]}]}"),
            [
                (
                    't.yaml:10:63 residency.rules[0].allowed_regions[1]: found the unknown region "mars", '
                    "expected eu-west"
                ),
            ],
            {},
            id="an unknown region in a residency rule",
        ),
        pytest.param(
            file(rest="residency: {rules: [{data_type: a, zones: [gdpr]}]}"),
            [
                (
                    't.yaml:10:44 residency.rules[0].zones[0]: found the zone "gdpr", which no region lists '
                    "in compliance_zones, expected a zone that some region lists in compliance_zones"
                ),
            ],
            {},
            id="a zone without a region",
        ),
        pytest.param(
            file(
                rest="residency: {rules: [{data_type: a, allowed_regions: '*'}, {data_type: a, allowed_regions: '*'}]}"
            ),
            [
                (
                    't.yaml:10:71 residency.rules[1].data_type: found a second rule for "a", first in '
                    "rules[0], expected each only once"
                ),
            ],
            {},
            id="a second rule for a data type",
        ),
        pytest.param(
            file(route="region_routing: {strategy: weighted, region_weights: {mars: 1}}"),
            [
                (
                    "t.yaml:10:65 routes[0].region_routing.region_weights.mars: found the unknown region "
                    '"mars", expected eu-west'
                ),
            ],
            {},
            id="a weight for an unknown region",
        ),
        pytest.param(
            file(route="region_routing: {rules: [{when: 'true', regions: [mars]}]}"),
            [
                (
                    "t.yaml:10:55 routes[0].region_routing.rules[0].regions[0]: found the unknown region "
                    '"mars", expected eu-west'
                ),
            ],
            {},
            id="a rule for an unknown region",
        ),
        pytest.param(
            file(
                rest=(
                    "residency: {transfer_agreements: [{id: s, source: a, destination: b, data_types: [c], "
                    "expires: 2027-01-01}]}"
                )
            ),
            [
                (
                    't.yaml:10:51 residency.transfer_agreements[0].source: found the unknown region "a", '
                    "expected eu-west"
                ),
                (
                    "t.yaml:10:67 residency.transfer_agreements[0].destination: found the unknown region "
                    '"b", expected eu-west'
                ),
                (
                    "t.yaml:10:83 residency.transfer_agreements[0].data_types[0]: found the unknown data "
                    'type "c", expected a declared data type, and there is none'
                ),
            ],
            {},
            id="an agreement between unknown regions",
        ),
        pytest.param(
            file(rest="disaster_recovery: {drill: {schedule: '0 4 * * 0', region: mars}}"),
            [
                ('t.yaml:10:60 disaster_recovery.drill.region: found the unknown region "mars", expected eu-west'),
            ],
            {},
            id="a drill in an unknown region",
        ),
        pytest.param(
            file(rest="sync: {collections: [{name: a, data_type: b, conflict: manual}]}"),
            [
                (
                    't.yaml:10:43 sync.collections[0].data_type: found the unknown data type "b", expected a '
                    "declared data type, and there is none"
                ),
            ],
            {},
            id="a collection of an unknown type",
        ),
        pytest.param(
            file(
                rest=(
                    "residency: {default: allow}\n"
                    "sync: {collections: [{name: a, data_type: b, conflict: manual, regions: [mars]}]}"
                )
            ),
            [
                (
                    't.yaml:11:43 sync.collections[0].data_type: found the unknown data type "b", expected a '
                    "declared data type, and there is none"
                ),
                ('t.yaml:11:74 sync.collections[0].regions[0]: found the unknown region "mars", expected eu-west'),
            ],
            {},
            id="a collection in an unknown region",
        ),
        pytest.param(
            file(
                rest=(
                    "residency: {rules: [{data_type: b, allowed_regions: '*'}]}\n"
                    "sync: {collections: [{name: a, data_type: b, conflict: manual, regions: [eu-west], "
                    "strategy: primary, primary: mars}]}"
                )
            ),
            [
                't.yaml:11:112 sync.collections[0].primary: found the unknown region "mars", expected eu-west',
                (
                    't.yaml:11:112 sync.collections[0].primary: found the primary "mars" outside the '
                    "collection's regions, expected one of eu-west"
                ),
            ],
            {},
            id="a primary outside its regions",
        ),
        pytest.param(
            file(rest="sync: {importance: {b: 1}}"),
            [
                (
                    't.yaml:10:24 sync.importance.b: found the unknown data type "b", expected a declared '
                    "data type, and there is none"
                ),
            ],
            {},
            id="an importance of an unknown type",
        ),
        pytest.param(
            file(route="access: {permissions: {notes: [read]}}"),
            [
                (
                    't.yaml:10:35 routes[0].access.permissions.notes: found the unknown collection "notes", '
                    "expected a declared collection, and there is none"
                ),
            ],
            {},
            id="permissions for an unknown collection",
        ),
        pytest.param(
            file(
                rest=(
                    "clients: {default_region: mars, offline_fallback_region: venus, regions: {pluto: {url: "
                    "https://a.example}}}"
                )
            ),
            [
                't.yaml:10:27 clients.default_region: found the unknown region "mars", expected eu-west',
                ('t.yaml:10:58 clients.offline_fallback_region: found the unknown region "venus", expected eu-west'),
                't.yaml:10:82 clients.regions.pluto: found the unknown region "pluto", expected eu-west',
            ],
            {},
            id="clients sent to unknown regions",
        ),
        pytest.param(
            file(
                rest="admin: {tokens: [{name: a, role: admin, token: 'env:T'}, {name: a, role: admin, token: 'env:T'}]}"
            ),
            [
                (
                    't.yaml:10:65 admin.tokens[1].name: found a second token "a", first in tokens[0], '
                    "expected each only once"
                ),
            ],
            {"T": "x"},
            id="two tokens of one name",
        ),
        pytest.param(
            (
                "regions: [{id: eu-west}]\n"
                'services: [{id: api, endpoints: [{region: us-east, address: "10.0.0.1:80"}]}]\n'
                "routes: [{id: all, service: api}]\n"
            ),
            [
                ('t.yaml:2:43 services[0].endpoints[0].region: found the unknown region "us-east", expected eu-west'),
            ],
            {},
            id="an endpoint in an undeclared region",
        ),
        pytest.param(
            (
                "regions: [{id: eu-west}]\n"
                'services: [{id: api, endpoints: [{region: eu-west, address: "10.0.0.1:80"}]}]\n'
                "routes: [{id: all, service: apo}]\n"
            ),
            [
                't.yaml:3:29 routes[0].service: found the unknown service "apo", expected api',
            ],
            {},
            id="a route to an unknown service",
        ),
        pytest.param(
            (
                "node: {region: eu-west}\n"
                "regions: [{id: eu-west}, {id: eu-west}]\n"
                'services: [{id: api, endpoints: [{region: eu-west, address: "10.0.0.1:80"}]}]\n'
                "routes: [{id: all, service: api}]\n"
            ),
            [
                (
                    't.yaml:2:31 regions[1].id: found a second region "eu-west", first in regions[0], '
                    "expected each only once"
                ),
            ],
            {},
            id="a second region of one id",
        ),
        pytest.param(
            (
                "regions: [{id: eu-west}]\n"
                "services:\n"
                '  - {id: api, endpoints: [{region: eu-west, address: "10.0.0.1:80"}]}\n'
                '  - {id: api, endpoints: [{region: eu-west, address: "10.0.0.2:80"}]}\n'
                "routes: [{id: all, service: api}]\n"
            ),
            [
                (
                    't.yaml:4:10 services[1].id: found a second service "api", first in services[0], '
                    "expected each only once"
                ),
            ],
            {},
            id="a second service of one id",
        ),
        pytest.param(
            (
                "regions: [{id: eu-west}]\n"
                'services: [{id: api, endpoints: [{region: eu-west, address: "10.0.0.1:80"}]}]\n'
                "routes: [{id: all, match: {path: /a}, service: api}, {id: all, service: api}]\n"
            ),
            [
                ('t.yaml:3:59 routes[1].id: found a second route "all", first in routes[0], expected each only once'),
            ],
            {},
            id="a second route of one id",
        ),
        pytest.param(
            (
                "listeners: [{name: a, bind: 127.0.0.1:80}, {name: a, bind: 127.0.0.1:81}]\n"
                "regions: [{id: eu-west}]\n"
                'services: [{id: api, endpoints: [{region: eu-west, address: "10.0.0.1:80"}]}]\n'
                "routes: [{id: all, service: api}]\n"
            ),
            [
                (
                    't.yaml:1:51 listeners[1].name: found a second listener "a", first in listeners[0], '
                    "expected each only once"
                ),
            ],
            {},
            id="a second listener of one name",
        ),
        pytest.param(
            (
                "regions: [{id: eu-west}]\n"
                'services: [{id: api, endpoints: [{region: eu-west, address: "10.0.0.1:80"}, {region: '
                'eu-west, address: "10.0.0.1:80"}]}]\n'
                "routes: [{id: all, service: api}]\n"
            ),
            [
                (
                    "t.yaml:2:77 services[0].endpoints[1]: found the endpoint 10.0.0.1:80 a second time, "
                    "first in endpoints[0], expected each only once; use weight for more"
                ),
            ],
            {},
            id="an endpoint twice",
        ),
        pytest.param(
            (
                "regions: [{id: eu-west}]\n"
                'services: [{id: api, endpoints: [{region: eu-west, address: "10.0.0.1:80"}]}]\n'
                "routes: [{id: all, split: [{service: api, weight: 1}, {service: canary, weight: 1}]}]\n"
            ),
            [
                't.yaml:3:65 routes[0].split[1].service: found the unknown service "canary", expected api',
            ],
            {},
            id="a split to an unknown service",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str], environ: dict[str, str]) -> None:
    assert complaints(text, environ=environ) == said


def test_a_file_without_loose_ends_is_taken() -> None:
    assert complaints(file()) == []
    assert accepted(file()).routes[0].services == ("api",)
