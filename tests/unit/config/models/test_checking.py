"""Every mistake in health checks is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(service="health_check: {unhealthy_threshold: 0}"),
            [
                "t.yaml:7:41 services[0].health_check.unhealthy_threshold: found 0, expected at least 1",
            ],
            id="a threshold of nothing",
        ),
        pytest.param(
            file(service="health_check: {interval: 5}"),
            [
                (
                    "t.yaml:7:30 services[0].health_check.interval: found 5 without a unit, expected a "
                    "duration with its unit, such as 250ms, 5s, 10m, 1h or 1d"
                ),
            ],
            id="an interval without a unit",
        ),
        pytest.param(
            file(service="health_check: {interval: 0s}"),
            [
                "t.yaml:7:30 services[0].health_check.interval: found 0s, expected 10ms to 1d",
            ],
            id="an interval of nothing",
        ),
        pytest.param(
            file(service="health_check: {jitter: 60%}"),
            [
                "t.yaml:7:28 services[0].health_check.jitter: found 60%, expected 0% to 50%",
            ],
            id="a jitter beyond half",
        ),
        pytest.param(
            file(service="health_check: {expected_status: [99]}"),
            [
                (
                    "t.yaml:7:38 services[0].health_check.expected_status[0]: found 99, expected a status or "
                    "a range of them from 100 to 599, such as 204 or 200-299"
                ),
            ],
            id="a status that is none",
        ),
        pytest.param(
            file(service="health_check: {expected_status: [299-200]}"),
            [
                (
                    't.yaml:7:38 services[0].health_check.expected_status[0]: found "299-200", expected a '
                    "status or a range of them from 100 to 599, such as 204 or 200-299"
                ),
            ],
            id="statuses the wrong way round",
        ),
        pytest.param(
            file(service="health_check: {expected_status: []}"),
            [
                (
                    "t.yaml:7:37 services[0].health_check.expected_status: found an empty list, expected at "
                    "least 1 in the list"
                ),
            ],
            id="no status at all",
        ),
        pytest.param(
            file(service="health_check: {expected_status: 200}"),
            [
                "t.yaml:7:37 services[0].health_check.expected_status: found 200, expected a list",
            ],
            id="a status outside of a list",
        ),
        pytest.param(
            file(service="health_check: {protocol: icmp}"),
            [
                (
                    't.yaml:7:30 services[0].health_check.protocol: found "icmp", expected one of tcp, http, '
                    "https, udp, grpc"
                ),
            ],
            id="an unknown protocol",
        ),
        pytest.param(
            file(service="health_check: {path: healthz}"),
            [
                (
                    't.yaml:7:26 services[0].health_check.path: found "healthz", expected a path that starts '
                    "with '/', such as /healthz"
                ),
            ],
            id="a path without a slash",
        ),
        pytest.param(
            file(service="health_check: {port: 70000}"),
            [
                "t.yaml:7:26 services[0].health_check.port: found 70000, expected at most 65535",
            ],
            id="a port that is none",
        ),
        pytest.param(
            file(endpoint=", health_check: {intervall: 1s}"),
            [
                (
                    "t.yaml:6:66 services[0].endpoints[0].health_check.intervall: found an unknown key, "
                    "expected interval"
                ),
            ],
            id="an override with an unknown key",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_a_check_has_the_values_of_the_contract() -> None:
    check = accepted(file()).services[0].health_check
    assert (check.protocol, check.interval, check.timeout, check.jitter) == ("tcp", 5.0, 1.0, 0.2)
    assert (check.healthy_threshold, check.unhealthy_threshold, check.expected_status) == (2, 3, ((200, 299),))


def test_an_endpoint_overrides_what_it_names_and_keeps_the_rest() -> None:
    text = file(
        service="health_check: {protocol: http, interval: 2s, expected_status: [200, 300-399]}",
        endpoint=", health_check: {path: /ready}",
    )
    service = accepted(text).services[0]
    own = service.health_check.overridden_by(service.endpoints[0].health_check)
    assert (own.path, own.protocol, own.interval, own.expected_status) == (
        "/ready",
        "http",
        2.0,
        ((200, 200), (300, 399)),
    )
    assert service.health_check.overridden_by(None) is service.health_check
