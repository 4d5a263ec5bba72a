"""An option whose feature does not exist is refused by name; one that asks for nothing is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from config.document import parse
from config.keys import types_at
from config.unbuilt import UNBUILT, Unbuilt, refusals
from tests.unit.config.written import complaints, file


def said(text: str, table: Sequence[Unbuilt] = UNBUILT) -> list[str]:
    return [str(one) for one in refusals(parse(text, file="t.yaml"), table)]


def test_an_option_is_refused_at_its_key_with_what_to_do() -> None:
    table = (Unbuilt("services[].circuit_breaker"),)
    assert said(file(service="circuit_breaker:\n  open_for: 5s"), table) == [
        "t.yaml:7:5 services[0].circuit_breaker: found circuit_breaker, which this version of Tidegate does not have "
        "yet, expected no circuit_breaker; remove it"
    ]


def test_a_choice_is_refused_with_the_choices_that_are_there() -> None:
    table = (Unbuilt("services[].load_balancing.algorithm", ("least_request", "round_robin")),)
    assert said(file(service="load_balancing: {algorithm: peak_ewma}"), table) == [
        "t.yaml:7:22 services[0].load_balancing.algorithm: found algorithm: peak_ewma, which this version of Tidegate "
        "does not have yet, expected least_request or round_robin; change or remove algorithm"
    ]


def test_an_option_says_what_to_write_in_its_place() -> None:
    text = file().replace("service: api", "redirect: {to: 'https://a.example/'}")
    table = (Unbuilt("routes[].redirect", (), "service: with the id of one service, in place of redirect"),)
    assert said(text, table) == [
        "t.yaml:9:5 routes[0].redirect: found redirect, which this version of Tidegate does not have yet, "
        "expected service: with the id of one service, in place of redirect"
    ]


@pytest.mark.parametrize(
    "text",
    [
        file(rest="peer: null\nfailover: {}\nsync: null\ntenants: {}"),
        file(rest="stores: {state: {kind: embedded}, data: {kind: embedded}, limits: {kind: local}}"),
        file(rest="listeners: [{name: a, bind: 127.0.0.1:80, tls: null, trusted_proxies: [], proxy_protocol: false}]"),
        file(rest="geo: {database: bundled, country_header: null}"),
        file(rest="observability: {tracing: {enabled: false, sample: 1%}, metrics: {granularity: detailed}}"),
        file(rest="discovery: {resolvers: system}"),
        file(region="reach: direct\ncapacity: null\nrole: primary"),
        file(service="load_balancing: {algorithm: round_robin, slow_start: 0s, panic_threshold: 0%}"),
        file(service="retries: {hedge_after: null, per_try_timeout: null}\nconcurrency: {adaptive: false}"),
        file(route="consistency: none\nimportance: interactive\nmirror: null"),
        file(route="access: {allow: [], deny: [], authentication: {kind: none}}"),
        file(route="region_routing: {strategy: geo_proximity, failover: automatic, rules: [], region_weights: {}}"),
    ],
)
def test_what_asks_for_nothing_passes(text: str) -> None:
    assert said(text) == []


@pytest.mark.parametrize("entry", UNBUILT, ids=lambda entry: entry.path)
def test_every_line_of_the_table_names_an_option_of_the_format(entry: Unbuilt) -> None:
    path = tuple(0 if part == "[]" else part for part in entry.path.replace("[]", ".[]").split("."))
    assert types_at(path, {}) != ()


def test_the_table_may_be_shortened() -> None:
    document = parse(file(rest="sync: {mode: sync}"), file="t.yaml")
    assert list(refusals(document, [])) == []
    assert len(list(refusals(document, [Unbuilt("sync")]))) == 1


def test_what_is_built_is_taken() -> None:
    text = file(
        region="minimum_capacity: 30%\npriority: 1\ncost: 2.0\ntier: edge\ngateway: https://eu.example.com",
        endpoint=", weight: 3, priority: 1, backup: false, health_check: {path: /ready}",
        service="load_balancing: {algorithm: round_robin}\n"
        "health_check: {protocol: http, path: /healthz, host: a.example, expected_body: ok}\n"
        "concurrency: {max_connections: 10}\n"
        "timeouts: {connect: 1s, response_head: 15s, idle: 30s, total: 60s}\n"
        "retries: {max_retries: 1, retry_on: [reset], methods: [GET], backoff: {kind: linear}, budget: 10%}",
        route="data_types: [a]\nregion_routing: {strategy: failover, prefer_local: false}",
        rest="residency: {rules: [{data_type: a, allowed_regions: '*'}]}\n"
        "node: {id: a, region: eu-west, data_dir: d, workers: 2, shutdown_grace: 5s}\n"
        "listeners: [{name: a, bind: 127.0.0.1:80, limits: {max_body: 1MiB}, timeouts: {idle: 5s}}]\n"
        "observability: {access_log: {sample: 10%}, metrics: {path: /m}, tracing: {enabled: true}}",
    )
    assert complaints(text, refuse_unbuilt=True) == []
