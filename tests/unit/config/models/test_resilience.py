"""Every mistake in retries, timeouts and their kin is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(service="retries: {retry_on: [5xx]}"),
            [
                (
                    't.yaml:7:26 services[0].retries.retry_on[0]: found "5xx", expected connect_failure, '
                    "reset, or a status from 400 to 599"
                ),
            ],
            id="a reason to retry that is none",
        ),
        pytest.param(
            file(service="retries: {retry_on: [200]}"),
            [
                (
                    "t.yaml:7:26 services[0].retries.retry_on[0]: found 200, expected connect_failure, "
                    "reset, or a status from 400 to 599"
                ),
            ],
            id="a status to retry below 400",
        ),
        pytest.param(
            file(service="retries: {methods: [FETCH]}"),
            [
                (
                    't.yaml:7:25 services[0].retries.methods[0]: found "FETCH", expected one of GET, HEAD, '
                    "POST, PUT, PATCH, DELETE, OPTIONS"
                ),
            ],
            id="an unknown method",
        ),
        pytest.param(
            file(service="retries: {max_retries: -1}"),
            [
                "t.yaml:7:28 services[0].retries.max_retries: found -1, expected at least 0",
            ],
            id="a negative number of retries",
        ),
        pytest.param(
            file(service="retries: {budget: small}"),
            [
                ('t.yaml:7:23 services[0].retries.budget: found "small", expected a share in per cent, such as 20%'),
            ],
            id="a budget in words",
        ),
        pytest.param(
            file(service="retries: {min_retries: 10}"),
            [
                (
                    "t.yaml:7:28 services[0].retries.min_retries: found 10 without a unit, expected a rate "
                    "with its unit, such as 100/s or 6000/m"
                ),
            ],
            id="a rate without a unit",
        ),
        pytest.param(
            file(service="retries: {min_retries: 10/w}"),
            [
                (
                    't.yaml:7:28 services[0].retries.min_retries: found "10/w", whose unit is none of /s, '
                    "/m, /h, /d, expected a rate with its unit, such as 100/s or 6000/m"
                ),
            ],
            id="a rate in an unknown unit",
        ),
        pytest.param(
            file(service="retries: {hedge_after: p99}"),
            [
                (
                    't.yaml:7:28 services[0].retries.hedge_after: found "p99", expected p95, or a duration '
                    "with its unit, such as 250ms, 5s, 10m, 1h or 1d"
                ),
            ],
            id="hedging after an unknown percentile",
        ),
        pytest.param(
            file(service="timeouts: {connect: 0s}"),
            [
                "t.yaml:7:25 services[0].timeouts.connect: found 0s, expected 1ms to 10m",
            ],
            id="a timeout of nothing",
        ),
        pytest.param(
            file(service="timeouts: {connect: 1w}"),
            [
                (
                    't.yaml:7:25 services[0].timeouts.connect: found "1w", whose unit is none of ms, s, m, '
                    "h, d, expected a duration with its unit, such as 250ms, 5s, 10m, 1h or 1d"
                ),
            ],
            id="a duration in an unknown unit",
        ),
        pytest.param(
            file(service="timeouts: {connect: 1 s}"),
            [
                (
                    't.yaml:7:25 services[0].timeouts.connect: found "1 s", expected a duration with its '
                    "unit, such as 250ms, 5s, 10m, 1h or 1d"
                ),
            ],
            id="a duration with a space",
        ),
        pytest.param(
            file(service="concurrency: {max_connections: 1.5}"),
            [
                "t.yaml:7:36 services[0].concurrency.max_connections: found 1.5, expected a whole number",
            ],
            id="a fraction of a connection",
        ),
        pytest.param(
            file(service='concurrency: {max_connections: "1024"}'),
            [
                't.yaml:7:36 services[0].concurrency.max_connections: found "1024", expected a whole number',
            ],
            id="a number as text",
        ),
        pytest.param(
            file(service="circuit_breaker: {tripping: ratio}"),
            [
                (
                    't.yaml:7:33 services[0].circuit_breaker.tripping: found "ratio", expected one of '
                    "percentage, count, consecutive"
                ),
            ],
            id="a breaker that trips otherwise",
        ),
        pytest.param(
            file(service="outlier_detection: {success_rate_deviations: 0}"),
            [
                ("t.yaml:7:50 services[0].outlier_detection.success_rate_deviations: found 0, expected more than 0"),
            ],
            id="outliers by no deviation",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_a_service_has_the_values_of_the_contract() -> None:
    service = accepted(file()).services[0]
    retries, timeouts = service.retries, service.timeouts
    assert (timeouts.connect, timeouts.response_head, timeouts.idle, timeouts.total) == (1, 15, 30, None)
    assert retries.retry_on == ("connect_failure", "reset", 502, 503, 504)
    assert retries.methods == ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")
    assert (retries.max_retries, retries.budget, retries.min_retries, retries.buffer) == (2, 0.2, 10.0, 65_536)
    assert (retries.backoff.kind, retries.backoff.initial, retries.backoff.max) == ("exponential", 0.025, 0.25)
    assert (service.outlier_detection, service.circuit_breaker) == (None, None)


def test_hedging_waits_for_a_percentile_or_a_time() -> None:
    assert accepted(file(service="retries: {hedge_after: p95}")).services[0].retries.hedge_after == "p95"
    assert accepted(file(service="retries: {hedge_after: 200ms}")).services[0].retries.hedge_after == 0.2
