"""Every mistake in relations between numbers is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from tests.unit.config.written import accepted, complaints, file, problems


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(region="active: false"),
            [
                "t.yaml:2:3 regions: found active: false in every region, expected at least one active region",
            ],
            id="no active region",
        ),
        pytest.param(
            file(route="consistency: read_your_writes"),
            [
                (
                    "t.yaml:10:18 routes[0].consistency: found read_your_writes without sync, so that nobody knows how "
                    "far a region's data is, expected sync with the collections that it is about, or none"
                ),
            ],
            id="a consistency of nothing",
        ),
        pytest.param(
            file(route="rate_limit: [{key: [ip], rate: 1/s, scope: region}]"),
            [
                (
                    "t.yaml:10:48 routes[0].rate_limit[0].scope: found scope: region without a store in which nodes "
                    "count together: each counts its share alone, expected stores.limits: {kind: redis} with `region`"
                ),
            ],
            id="a wide limit that nobody counts",
        ),
        pytest.param(
            file(endpoint=", weight: 0"),
            [
                (
                    "t.yaml:6:7 services[0].endpoints: found only endpoints of weight 0, expected at least "
                    "one that may take traffic"
                ),
            ],
            id="only weights of nothing",
        ),
        pytest.param(
            file(service="health_check: {host: api.example.com}"),
            [
                (
                    "t.yaml:7:26 services[0].health_check.host: found host in a health check over tcp, "
                    "expected protocol: http, or no such key"
                ),
            ],
            id="a host for a tcp probe",
        ),
        pytest.param(
            file(endpoint=", health_check: {expected_body: ok}"),
            [
                (
                    "t.yaml:6:81 services[0].endpoints[0].health_check.expected_body: found expected_body in "
                    "a health check over tcp, expected protocol: http, or no such key"
                ),
            ],
            id="a body for a tcp probe of one endpoint",
        ),
        pytest.param(
            file(service="health_check: {protocol: http, grpc_service: a}"),
            [
                (
                    "t.yaml:7:50 services[0].health_check.grpc_service: found grpc_service in a health check "
                    "over http, expected protocol: grpc"
                ),
            ],
            id="a grpc service for an http probe",
        ),
        pytest.param(
            file(service="health_check: {interval: 1s, timeout: 1s}"),
            [
                (
                    "t.yaml:7:43 services[0].health_check.timeout: found 1s, not less than the interval of "
                    "1s, expected less, or a slow endpoint is asked less often than the interval says"
                ),
            ],
            id="a probe that may outlast its interval",
        ),
        pytest.param(
            file(service="retries: {methods: []}"),
            [
                (
                    "t.yaml:7:24 services[0].retries.methods: found no methods with max_retries: 2, expected "
                    "methods, or max_retries: 0"
                ),
            ],
            id="retries of no method",
        ),
        pytest.param(
            file(service="retries: {retry_on: []}"),
            [
                (
                    "t.yaml:7:25 services[0].retries.retry_on: found no retry_on with max_retries: 2, "
                    "expected retry_on, or max_retries: 0"
                ),
            ],
            id="retries for no reason",
        ),
        pytest.param(
            file(service="retries: {backoff: {initial: 1s, max: 500ms}}"),
            [
                (
                    "t.yaml:7:34 services[0].retries.backoff.initial: found 1s, more than max of 500ms, "
                    "expected at most 500ms"
                ),
            ],
            id="a backoff that starts above its end",
        ),
        pytest.param(
            file(service="timeouts: {total: 500ms}"),
            [
                (
                    "t.yaml:7:23 services[0].timeouts.total: found 500ms, less than connect of 1s, which is "
                    "never reached, expected at least 1s, or a shorter connect"
                ),
                (
                    "t.yaml:7:23 services[0].timeouts.total: found 500ms, less than response_head of 15s, "
                    "which is never reached, expected at least 15s, or a shorter response_head"
                ),
            ],
            id="a total below its parts",
        ),
        pytest.param(
            file(service=("timeouts: {total: 20s}\nretries: {per_try_timeout: 30s}")),
            [
                (
                    "t.yaml:8:32 services[0].retries.per_try_timeout: found 30s, more than timeouts.total, "
                    "expected at most 20s"
                ),
            ],
            id="a try longer than the whole",
        ),
        pytest.param(
            file(service="outlier_detection: {base_ejection: 10m}"),
            [
                (
                    "t.yaml:7:40 services[0].outlier_detection.base_ejection: found 10m, more than "
                    "max_ejection of 5m, expected at most 5m"
                ),
            ],
            id="an ejection that starts above its end",
        ),
        pytest.param(
            file(route="region_routing: {strategy: weighted}"),
            [
                (
                    "t.yaml:10:21 routes[0].region_routing.region_weights: found nothing, expected a weight "
                    "above 0 for at least one region"
                ),
            ],
            id="a strategy weighted without weights",
        ),
        pytest.param(
            file(route="region_routing: {strategy: weighted, region_weights: {eu-west: 0}}"),
            [
                (
                    "t.yaml:10:58 routes[0].region_routing.region_weights: found only weights of 0, expected "
                    "a weight above 0 for at least one region"
                ),
            ],
            id="region weights of nothing",
        ),
        pytest.param(
            file(
                route=(
                    "region_routing: {strategy: multi_criteria, weights: {latency: 0, user_location: 0, "
                    "capacity: 0, cost: 0, user_preference: 0}}"
                )
            ),
            [
                (
                    "t.yaml:10:57 routes[0].region_routing.weights: found only weights of 0, expected at "
                    "least one that is more"
                ),
            ],
            id="criteria of no weight",
        ),
        pytest.param(
            file(route="region_routing: {strategy: geo_proximity}"),
            [
                (
                    "t.yaml:10:32 routes[0].region_routing.strategy: found geo_proximity, although eu-west "
                    "has no location, expected a location for every region; those without come last"
                ),
            ],
            id="geo proximity without locations",
        ),
        pytest.param(
            file(route="cors: {allowed_origins: ['*'], credentials: true}"),
            [
                (
                    "t.yaml:10:29 routes[0].cors.allowed_origins: found every origin together with "
                    "credentials, expected origins by name, or credentials: false"
                ),
            ],
            id="every origin with credentials",
        ),
        pytest.param(
            file(route="sticky_split: cookie"),
            [
                (
                    "t.yaml:10:19 routes[0].sticky_split: found sticky_split without split, expected split, "
                    "or no sticky_split"
                ),
            ],
            id="a sticky split without a split",
        ),
        pytest.param(
            file(route='rewrite: {path: {pattern: "^/a", replacement: /b}}', rest="sync: {}").replace(
                "service: api", "service: builtin:data"
            ),
            [
                (
                    "t.yaml:10:21 routes[0].rewrite.path: found a rewritten path on a route of builtin:data, whose "
                    "permissions go by the client's own path, expected another service, or no such rewriting"
                ),
            ],
            id="a rewritten path of the data API",
        ),
        pytest.param(
            file(rest="election: {lease: 10s, renew: 5s}"),
            [
                (
                    "t.yaml:10:31 election.renew: found 5s with a lease of 10s, expected at most 4500ms, so "
                    "that one failed renewal does not cost the lease"
                ),
            ],
            id="a renewal too late for its lease",
        ),
        pytest.param(
            file(rest="failover: {detection: {interval: 3s, timeout: 5s}}"),
            [
                (
                    "t.yaml:10:47 failover.detection.timeout: found 5s with an interval of 3s, expected at "
                    "least 6s, so that one lost message is not a lost region"
                ),
            ],
            id="a detection by one lost message",
        ),
        pytest.param(
            file(rest="failover: {backoff: {initial: 2m}}"),
            [
                "t.yaml:10:31 failover.backoff.initial: found 2m, more than max of 1m, expected at most 1m",
            ],
            id="a promotion backoff above its end",
        ),
        pytest.param(
            file(rest='failover: {quorum: {witness: "https://w.example.com"}}'),
            [
                "t.yaml:10:30 failover.quorum.witness: found a witness with kind: majority, which does not ask it, "
                "expected kind: witness, or no witness",
                "t.yaml:10:30 failover.quorum.witness: found a witness without `peer`, expected `peer`, by which it is "
                "asked",
            ],
            id="a witness that nobody asks",
        ),
        pytest.param(
            file(region="role: read_replica"),
            [
                "t.yaml:2:3 regions: found only read replicas, which take no writes, expected at least one active "
                "region that does",
            ],
            id="nobody takes writes",
        ),
        pytest.param(
            file(rest="failover: {dns: {server: 10.0.0.53, zone: example.com, name: api}}"),
            [
                "t.yaml:10:17 failover.dns: found no region with a `gateway` to point to, expected a `gateway` for "
                "each region",
            ],
            id="a name with nothing to point to",
        ),
        pytest.param(
            file(
                region="gateway: https://gw.example.com",
                rest='failover: {dns: {server: 10.0.0.53, zone: example.com, name: "@"}}',
            ),
            [
                "t.yaml:11:62 failover.dns.name: found @, although eu-west has the gateway gw.example.com, and beside "
                "the zone's own records no CNAME may stand, expected a name inside the zone, or gateways by IP address",
            ],
            id="a zone that would become a CNAME",
        ),
        pytest.param(
            file(rest="failover: {min_regions: 2}"),
            [
                "t.yaml:10:25 failover.min_regions: found 2 with 1 declared, expected at most 1",
            ],
            id="more regions needed than there are",
        ),
        pytest.param(
            file(rest="discovery: {min_ttl: 10m}"),
            [
                "t.yaml:10:22 discovery.min_ttl: found 10m, more than max_ttl of 5m, expected at most 5m",
            ],
            id="a least ttl above the most",
        ),
        pytest.param(
            file(rest="sync: {lag: {warning: 1m}}"),
            [
                "t.yaml:10:23 sync.lag.warning: found 1m, more than critical of 10s, expected at most 10s",
            ],
            id="a warning after the alarm",
        ),
        pytest.param(
            file(rest="clients: {health: {interval: 3s}}"),
            [
                ("t.yaml:10:19 clients.health.timeout: found 3s, not less than the interval, expected less than 3s"),
            ],
            id="clients that ask before the answer",
        ),
        pytest.param(
            (
                "regions: [{id: eu-west}]\n"
                'services: [{id: api, endpoints: [{region: eu-west, address: "10.0.0.1:80"}]}]\n'
                "routes: [{id: all, split: [{service: api, weight: 0}]}]\n"
            ),
            [
                "t.yaml:3:27 routes[0].split: found only weights of 0, expected at least one that is more",
            ],
            id="a split of no weight",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_the_numbers_of_the_contract_fit_each_other() -> None:
    rest = "failover: {}\nelection: {}\nclients: {}\nsync: {}\ndisaster_recovery: {}"
    text = file(service="outlier_detection: {}\ncircuit_breaker: {}", rest=rest)
    assert complaints(text) == []
    assert accepted(text).election is not None


def test_no_retries_need_no_methods() -> None:
    assert complaints(file(service="retries: {max_retries: 0, methods: [], retry_on: []}")) == []


def test_permissions_where_nobody_reads_them_are_a_warning_and_gateways_need_keys() -> None:
    sync = "sync: {collections: [{name: notes, data_type: x, conflict: manual}]}\nresidency: {default: allow}"
    (found, *_) = complaints(file(route="access: {permissions: {notes: [read]}}", rest=sync))
    assert "routes[0].access.permissions: found permissions of collections on a route" in found
    (found,) = complaints(file(region="reach: gateway\ngateway: https://eu.example.com"))
    assert "regions[0].reach: found reach: gateway without secrets.signing_keys" in found


def mesh_file(*, rest: str, own: str = "", other: str = "") -> str:
    """Two regions, each with something more."""
    return (
        f"node: {{region: eu}}\nregions: [{{id: eu{own}}}, {{id: us{other}}}]\n"
        'services: [{id: api, endpoints: [{region: eu, address: "10.0.0.1:80"}]}]\n'
        f"routes: [{{id: all, service: api}}]\n{rest}\n"
    )


@pytest.mark.parametrize(
    ("trigger", "said"), [("automatic", "error"), ("hybrid", "error"), ("manual", "warning")], ids=str
)
def test_two_servers_that_keep_the_state_cannot_promote_without_peers_either(trigger: str, said: str) -> None:
    state = 'stores: {state: {kind: redis, urls: ["redis://10.0.0.1", "redis://10.0.0.2"]}}'
    text = mesh_file(rest=f"{state}\nfailover: {{trigger: {trigger}}}\nelection: {{}}")
    (found,) = problems(text)
    assert str(found).startswith("t.yaml:7:11 election.acceptors: found two acceptors, of which no majority is left")
    assert found.severity == said


def test_three_acceptors_of_the_lease_do_not_help_a_state_that_two_keep() -> None:
    state = 'stores: {state: {kind: redis, urls: ["redis://10.0.0.1", "redis://10.0.0.2"]}}'
    three = ", ".join(f'{{url: "redis://10.0.0.{number}"}}' for number in (1, 2, 3))
    (found,) = complaints(mesh_file(rest=f"{state}\nfailover: {{}}\nelection: {{acceptors: [{three}]}}"))
    assert "two acceptors" in found


@pytest.mark.parametrize(
    ("rest", "own", "other", "is_said"),
    [
        ("failover: {trigger: automatic}", "", ", gateway: https://us.example.com", True),
        ("failover: {trigger: manual}", "", ", gateway: https://us.example.com", False),
        ("failover: {trigger: automatic}", ", gateway: https://eu.example.com", "", False),
        (
            'failover: {trigger: automatic}\nstores: {state: {kind: redis, urls: ["redis://10.0.0.1"]}}',
            "",
            ", gateway: https://us.example.com",
            False,
        ),
    ],
    ids=["other gateways", "a person promotes", "the only gateway", "a store that carries votes"],
)
def test_gateways_whose_votes_nothing_carries_are_told_that_each_decides_alone(
    rest: str, own: str, other: str, *, is_said: bool
) -> None:
    found = [one for one in complaints(mesh_file(rest=rest, own=own, other=other)) if "failover.trigger" in one]
    assert len(found) == int(is_said)
    assert all("nothing carries the votes of the gateways in us" in one for one in found)


REDIS = '{url: "redis://10.0.0.1"}'
NODE = '{url: "http://10.0.0.2:9443"}'
WITNESS = '{url: "http://10.0.0.3:9443", witness: true}'
SHARED = 'stores: {state: {kind: redis, urls: ["redis://10.0.0.1"]}}'
PEER = 'peer: {bind: "127.0.0.1:9443", secret: env:KEY}'


@pytest.mark.parametrize(
    ("acceptors", "more", "said"),
    [
        ([REDIS, NODE, WITNESS], [SHARED, PEER], []),
        (
            [REDIS, NODE, WITNESS],
            [SHARED],
            [
                "election.acceptors[1].url: found a node as an acceptor without `peer`, expected `peer`, by which it "
                "is asked"
            ],
        ),
        (
            [REDIS],
            [PEER],
            [
                "election.acceptors: found Redis servers for a lease, although each node keeps a state of its own and "
                "leads itself, expected `peers`, a stores.state that all nodes share, or acceptors: auto"
            ],
        ),
        (
            [REDIS, NODE, NODE.replace("443", "443/")],
            [SHARED, PEER],
            [
                "election.acceptors[2].url: found http://10.0.0.2:9443 once more, which has one vote however often it "
                "is named, expected another acceptor"
            ],
        ),
    ],
    ids=["of several kinds", "nodes that cannot be asked", "a lease that nobody contends for", "one twice"],
)
def test_every_acceptor_that_is_named_can_be_asked(acceptors: list[str], more: list[str], said: list[str]) -> None:
    rest = "\n".join([*more, f"election: {{acceptors: [{', '.join(acceptors)}]}}"])
    found = complaints(mesh_file(rest=rest), environ={"KEY": "key"})
    assert [one.partition(" ")[2] for one in found] == said


def test_acceptors_of_several_kinds_are_counted_together() -> None:
    rest = f"{SHARED}\n{PEER}\nfailover: {{}}\nelection: {{acceptors: [{REDIS}, {NODE}]}}"
    (found,) = complaints(mesh_file(rest=rest), environ={"KEY": "key"})
    assert "election.acceptors: found two acceptors" in found
